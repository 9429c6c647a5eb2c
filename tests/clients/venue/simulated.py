"""What every program here needs: the fixed keys of the simulated exchange, and a list of what was done."""

import json

API_KEY = "simHmacKeyu8jzPde0IgxLd6GncfBAepfJBd0Kh8oOOL8dKLzdocJ2isAjIhKtJ0"
SECRET = "simHmacSecretRlgLKOmxgJTeKdNnFRIBXuDL7DxtpYlSXpfKtHF4vUCsMehGAkW"
ED25519_API_KEY = "simEd25519Keyvj7FAc9QeWJKY40uvSwMFLZDe1f8rESQedUStPKR0CsTy4Qwb8D"
ED25519_PRIVATE_KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJZp5DR3P06nxfi+/NuLA6D96tF82wGPIIkbvsEsxF2P
-----END PRIVATE KEY-----
"""


class Deeds:
    """What a library was seen to do."""

    def __init__(self, library, version):
        self.line = {"library": library, "version": version, "did": []}

    def did(self, name, is_so):
        assert is_so, f"{self.line['library']}: not {name}"
        self.line["did"].append(name)

    def print(self):
        print(json.dumps(self.line), flush=True)
