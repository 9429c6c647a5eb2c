//! The time lines of all systems as one SVG, for a README: on a ground of its own, so that it is readable on any, and dark where
//! the reader's machine is.

use std::fmt::Write;

use anyhow::Result;

use super::judge::{Side, Span, Verdict};
use super::report::{headline, seconds};
use super::trial::Trial;

/// All in pixels of the picture's own grid.
const WIDTH: f64 = 880.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 860.0;
const TOP: f64 = 96.0;
const PANEL: f64 = 152.0;
const LANE: f64 = 52.0;
const BAR: f64 = 24.0;

/// Before the cut, in seconds.
const FROM: f64 = -5.0;
const TICK: usize = 5;

/// A label needs so much room.
const LABEL_MIN: f64 = 110.0;

const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.title { font-size: 16px; font-weight: 600 }
.system { font-size: 14px; font-weight: 600 }
.small { font-size: 12px; fill: #59636e }
.bad { fill: #cf222e; font-weight: 600 }
.good { fill: #1a7f37; font-weight: 600 }
.cut { fill: #818b98; fill-opacity: 0.16 }
.one { fill: #0969da }
.other { fill: #8250df }
.name { fill: #ffffff; font-weight: 600 }
.both { fill: #cf222e; fill-opacity: 0.16; stroke: #cf222e; stroke-opacity: 0.6 }
.lost { fill: #cf222e }
.served { fill: #1a7f37 }
.silent { stroke: #818b98; stroke-width: 2; stroke-dasharray: 3 3 }
.axis { stroke: #818b98 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.ground { fill: #0d1117; stroke: #3d444d }
.small { fill: #9198a1 }
.bad { fill: #ff7b72 }
.good { fill: #3fb950 }
.cut { fill-opacity: 0.24 }
.one { fill: #1f6feb }
.both { fill-opacity: 0.3 }
.lost { fill: #ff7b72 }
.served { fill: #3fb950 }
}
";

/// `below`: when it ran, and on what.
pub(super) fn draw(trials: &[Trial], title: &str, below: &[String]) -> Result<String> {
    let last =
        |time: fn(&Verdict) -> f64| trials.iter().map(|trial| time(&trial.verdict)).fold(0.0, f64::max);
    let (healed, ended) = (last(|verdict| verdict.cut.until), last(|verdict| verdict.ended));
    let panels = TOP + PANEL * trials.len() as f64;
    let height = panels + 30.0 + 18.0 * below.len() as f64;
    let mut picture = Picture { svg: String::new(), scale: (RIGHT - LEFT) / (ended - FROM) };
    let said: Vec<String> =
        trials.iter().map(|trial| format!("{}: {}", trial.system, headline(&trial.verdict))).collect();
    let said = escape(&format!("{title} {}.", said.join(". ")));
    writeln!(
        picture.svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{said}\">\n\
         <title>{said}</title>\n<style>\n{STYLE}</style>"
    )?;
    let (width, tall) = (WIDTH - 1.0, height - 1.0);
    writeln!(
        picture.svg,
        "<rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{width}\" height=\"{tall}\" rx=\"6\"/>"
    )?;
    picture.text("title", 20.0, 30.0, title)?;
    picture.legend(54.0)?;
    for (number, trial) in trials.iter().enumerate() {
        picture.panel(trial, TOP + PANEL * number as f64)?;
    }
    picture.axis(panels, healed, ended)?;
    for (number, line) in below.iter().enumerate() {
        picture.text("small", 20.0, panels + 36.0 + 18.0 * number as f64, line)?;
    }
    picture.svg.push_str("</svg>\n");
    Ok(picture.svg)
}

struct Picture {
    svg: String,
    /// Pixels of a second.
    scale: f64,
}

impl Picture {
    fn legend(&mut self, y: f64) -> Result<()> {
        let mut x = 20.0;
        for (class, height, what) in [
            ("one", 12.0, "A holds the lock"),
            ("other", 12.0, "B or C holds it"),
            ("both", 12.0, "two holders"),
            ("lost", 4.0, "writes acknowledged, then lost"),
            ("served", 3.0, "answers"),
        ] {
            self.rect(class, x, y - 4.0 - height / 2.0, 18.0, height)?;
            self.text("small", x + 24.0, y, what)?;
            x += 50.0 + 6.4 * what.len() as f64;
        }
        self.line("silent", x, y - 4.0, x + 18.0)?;
        self.text("small", x + 24.0, y, "no answers")
    }

    fn panel(&mut self, trial: &Trial, y: f64) -> Result<()> {
        let verdict = &trial.verdict;
        self.text("system", 20.0, y, &trial.system)?;
        let class = if verdict.is_clean() { "good" } else { "bad" };
        let said = escape(&headline(verdict));
        writeln!(
            self.svg,
            "<text class=\"{class}\" x=\"{RIGHT}\" y=\"{y}\" text-anchor=\"end\">{said}</text>"
        )?;
        let (first, second) = (y + 14.0, y + 14.0 + LANE);
        self.span("cut", verdict.cut, first - 4.0, 2.0 * LANE + 4.0)?;
        self.lane("bot A, cut off", "one", &verdict.cut_off, first, verdict)?;
        self.lane("bots B and C", "other", &verdict.others, second, verdict)?;
        for two in &verdict.two_led {
            self.span("both", *two, first - 2.0, LANE + BAR + 4.0)?;
        }
        if let Some(lost) = verdict.lost_during() {
            self.span("lost", lost, first + BAR - 4.0, 4.0)?;
        }
        Ok(())
    }

    fn lane(&mut self, label: &str, class: &str, side: &Side, y: f64, verdict: &Verdict) -> Result<()> {
        self.text("label", 20.0, y + 17.0, label)?;
        for (bot, reign) in &side.reigns {
            let shown = Span { from: reign.from.max(FROM), until: reign.until };
            self.span(class, shown, y, BAR)?;
            self.text("name", self.x(shown.from) + 8.0, y + 16.0, bot)?;
        }
        let below = y + BAR + 8.0;
        let mut served = FROM;
        for (number, silence) in side.silences.iter().enumerate() {
            self.span("served", Span { from: served, until: silence.from }, below - 1.5, 3.0)?;
            self.line("silent", self.x(silence.from), below, self.x(silence.until))?;
            let next = side.silences.get(number + 1).map_or(verdict.ended, |next| next.from);
            if (next - silence.from) * self.scale > LABEL_MIN {
                let what = format!("no answers for {}", seconds(silence.length()));
                self.text("small", self.x(silence.from) + 8.0, below + 14.0, &what)?;
            }
            served = silence.until;
        }
        self.span("served", Span { from: served, until: verdict.ended }, below - 1.5, 3.0)
    }

    fn axis(&mut self, y: f64, healed: f64, ended: f64) -> Result<()> {
        self.line("axis", LEFT, y - 16.0, RIGHT)?;
        for second in (FROM as i64..=ended as i64).step_by(TICK) {
            let what = match second {
                0 => "cut".to_owned(),
                _ if second == healed.round() as i64 => "healed".to_owned(),
                _ => format!("{second} s"),
            };
            let x = self.x(second as f64);
            writeln!(
                self.svg,
                "<text class=\"small\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{what}</text>"
            )?;
        }
        Ok(())
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (second - FROM) * self.scale
    }

    fn span(&mut self, class: &str, span: Span, y: f64, height: f64) -> Result<()> {
        self.rect(class, self.x(span.from), y, span.length() * self.scale, height)
    }

    fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) -> Result<()> {
        let shape = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        Ok(writeln!(self.svg, "<rect class=\"{class}\" {shape}/>")?)
    }

    fn line(&mut self, class: &str, from: f64, y: f64, until: f64) -> Result<()> {
        let shape = format!("x1=\"{from:.1}\" y1=\"{y:.1}\" x2=\"{until:.1}\" y2=\"{y:.1}\"");
        Ok(writeln!(self.svg, "<line class=\"{class}\" {shape}/>")?)
    }

    fn text(&mut self, class: &str, x: f64, y: f64, what: &str) -> Result<()> {
        let what = escape(what);
        Ok(writeln!(self.svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{what}</text>")?)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What is to be expected of each.
    pub(in crate::demo) fn trials() -> [Trial; 2] {
        let cut = Span { from: 0.0, until: 20.0 };
        let reign = |bot: &str, from, until| (bot.to_owned(), Span { from, until });
        let side = |reigns, silences| Side { reigns, silences };
        let trial = |system: &str, verdict| Trial {
            system: system.into(),
            settings: "as shipped",
            redis_py: "8.1.0".into(),
            verdict,
        };
        let both = Span { from: 9.5, until: 29.0 };
        let redis = Verdict {
            cut_off: side(vec![reign("A", -6.0, 29.0)], vec![]),
            others: side(vec![reign("B", 9.5, 35.0)], vec![Span { from: 0.0, until: 7.0 }]),
            two_led: vec![both],
            acknowledged: 4,
            lost: vec![0.5, 28.0, 14.0],
            cut,
            ended: 35.0,
        };
        let tenure = Verdict {
            cut_off: side(vec![reign("A", -6.0, 8.0)], vec![Span { from: 0.0, until: 20.4 }]),
            others: side(vec![reign("B", 9.0, 35.0)], vec![Span { from: 0.0, until: 1.1 }]),
            two_led: vec![],
            acknowledged: 4,
            lost: vec![],
            cut,
            ended: 35.0,
        };
        [trial("Redis <7> & Sentinel", redis), trial("Tenure", tenure)]
    }

    fn drawn() -> String {
        draw(&trials(), "A \"cut\"", &["below".into()]).unwrap()
    }

    /// Every tag is closed in its order, and nothing but tags begins with `<`.
    #[test]
    fn it_is_well_formed() {
        let svg = drawn();
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect("a tag has an end");
            assert!(!text.contains('>'), "{text}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(tag.split(' ').next().unwrap()),
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert_eq!(open, [""; 0]);
        assert!(svg.contains("Redis &lt;7&gt; &amp; Sentinel") && svg.contains("A &quot;cut&quot;"));
    }

    #[test]
    fn two_holders_are_shown_where_they_were() {
        let svg = drawn();
        let rects = |class: &str| -> Vec<[f64; 2]> {
            let begin = format!("<rect class=\"{class}\" ");
            let number = |rect: &str, what: &str| -> f64 {
                let (_, rest) = rect.split_once(&format!("{what}=\"")).unwrap();
                rest.split('"').next().unwrap().parse().unwrap()
            };
            let rects = svg.lines().filter_map(|line| line.strip_prefix(&begin));
            rects.map(|rect| [number(rect, "x"), number(rect, "width")]).collect()
        };
        // One in the legend, one of Redis, none of Tenure.
        let (both, first, second) = (rects("both"), rects("one"), rects("other"));
        assert_eq!((both.len(), first.len(), second.len()), (2, 3, 3));
        let [from, width] = both[1];
        let near = |one: f64, other: f64| (one - other).abs() < 0.2;
        assert!(near(from, second[1][0]) && near(from + width, first[1][0] + first[1][1]), "{both:?}");
        assert_eq!(rects("lost").len(), 2);
    }
}
