//! What `domain` promises: as scripts that people can read, for every field of the digest, for everything that may
//! be wrong with a command, for random logs, and for random reports of an order.

/// One test for each script of a folder, and one that none is forgotten.
macro_rules! scripts {
    ($runner:ty, $folder:literal, $($name:ident)*) => {
        $(#[test]
        fn $name() {
            goldenscript::run(&mut <$runner>::default(), concat!($folder, "/", stringify!($name))).unwrap();
        })*

        #[test]
        fn every_script_is_run() {
            let known = [$(stringify!($name)),*];
            let entries = std::fs::read_dir($folder).unwrap();
            let mut files: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            assert_eq!(files, known);
        }
    };
}

mod desk;
mod desk_digest;
mod desk_log;
mod desk_properties;
mod digest;
mod log;
mod order_properties;
mod orders;
mod properties;
mod reasons;
mod records;
mod refusals;
mod scripts;
mod trading;
mod words;
