"""Commands beyond the recorded exchanges of the vectors: values that a payShield returned, errors, the life of keys."""

import sys
import unittest
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from psec import tr31
from psec.des import adjust_key_parity

from algorithms import aes_dukpt, macs, pin_blocks, pin_values, tdes_dukpt
from algorithms.ciphers import tdes_encrypt, xor
from payshield.commands import answer
from payshield.hsm import Hsm, Settings
from payshield.testing import Counterpart

# Keys and values that a payShield returned, as softwaregroup-bg/ut-codec-payshield prints them (docs/examples.js).
ZMK_1 = "S00072K0TB00E0001DB045F29C053EEFF7B9425B3A88C7258EB7EA7E40E2C47878647072A"
ZPK_1 = "S00072P0TB00E0001EA421618B34F5FA1A77F7CF6480111B97CF0FAE7BD77D589EC921EF9"
ZPK_1_UNDER_ZMK_1 = "S00072P0TB00N00FFE1D89671C973C7F0DAF91CB2EBF379493C08975679001172C89A0AF8"
ZPK_2 = "S00072P0TB00E00010D869FE84C1F77AE64E0019151533363D4CCE7E1C3F89F3D86115EE8"
PVK_IBM = "S00072V1TN00E00010AE0AD2B1990AB407FAD15059E287760A05DF4DA2391EAB138877E22"
PVK_PVV = "S00072V2TN00E0001E80A2926443C3AF11BF0317C669FA0EA0E100ABDF92BF7A3AF232D4C"
ACCOUNT = "850103093936"
OLD_BLOCK, NEW_BLOCK = "AD72F973446E84E7", "967CDB6E3D492E28"
TABLE = "709F26B22464E96A"
METHOD = f"06{ACCOUNT}{TABLE}50103093936N"

PAN = "9000000000000001234"
PAN_12 = PAN[-13:-1]


class Case(unittest.TestCase):
    """A counterpart with a key-block LMK for all tests of a class."""

    options: tuple[str, ...] = ()
    hsm: Counterpart

    @classmethod
    def setUpClass(cls) -> None:
        cls.hsm = cls.enterClassContext(Counterpart(*cls.options))

    def check(self, command: str | bytes, expected: str) -> None:
        """The reply to a command is exactly this."""
        self.assertEqual(self.hsm.exchange(command), expected)

    def key(self, clear: bytes, attributes: str) -> str:
        """A TDES key under the LMK, brought in under the ZMK."""
        zmk = bytes.fromhex(self.hsm.facts["zmk_clear"])
        tag = {8: "", 16: "X", 24: "Y"}[len(clear)]
        encrypted = tdes_encrypt(zmk, clear).hex().upper()
        reply = self.hsm.exchange(f"A6FFF{self.hsm.facts['zmk']}{tag}{encrypted}S#{attributes}")
        self.assertEqual(reply[:4], "A700")
        return reply[4:-6]

    def new_key(self, attributes: str) -> str:
        """A random key under the LMK."""
        reply = self.hsm.exchange(f"A00FFFS#{attributes}")
        self.assertEqual(reply[:4], "A100")
        return reply[4:-6]


class Fuzz(unittest.TestCase):
    """No bytes make a command end in anything but a reply."""

    def test_altered_commands(self) -> None:
        random, hsm = Random(1), Hsm(Settings())
        samples = [
            f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}%01\x19host",
            f"DUFFF{ZPK_1}{PVK_IBM}{NEW_BLOCK}01{METHOD}309783FFFFFF{OLD_BLOCK}*0106123456",
            f"CUFFF{ZPK_1}{PVK_PVV}{OLD_BLOCK}01{ACCOUNT}17548{NEW_BLOCK}",
            f"A6FFF{ZMK_1}{ZPK_1_UNDER_ZMK_1}S%01#P0B00E00",
            f"A8FFF;0{ZMK_1}{ZPK_1}R%01&E!B",
            f"A6FFF{ZMK_1}R{'B0080P0TE00E0000' + 64 * '0'}S",
            f"A01FFFS;0{ZMK_1}S%01#P0T2B00E00",
            f"A42FFFS{ZPK_1}{ZPK_2}#0000",
            f"BUFFF{ZPK_1};FFF;001",
            f"M600131FFF{ZPK_1}0004data",
            "GW41U11111111111111111111111111111111A05FFFF00000000000000000004data",
            f"BA1234FFFFFFFFF{ACCOUNT}",
            f"JA{ACCOUNT}06",
            "LO0123456789012345",
            "B20004PING",
            "NO00",
            "NC",
        ]
        for _ in range(6000):
            command = bytearray(random.choice(samples).encode("latin-1"))
            for _ in range(random.randint(1, 3)):
                place = random.randrange(len(command))
                kind = random.randrange(4)
                if kind == 0:
                    command[place] = random.randrange(256)
                elif kind == 1:
                    command[place : place + random.randint(1, 8)] = b""
                elif kind == 2:
                    command[place:place] = random.randbytes(random.randint(1, 4))
                else:
                    command[place] = random.choice(b"0123456789ABCDEFNSTU;%#*")
                command = command or bytearray(b"NC")
            if len(command) >= 2:
                self.assertRegex(answer(hsm, bytes(command))[2:4].decode("latin-1"), "^[0-9A][0-9A-B]$")


class Recorded(Case):
    """Values of a payShield."""

    def test_translation(self) -> None:
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}%01", "CD0006E614D4AFD47BD3BF01")

    def test_pvv(self) -> None:
        self.check(f"FWFFF{ZPK_1}{PVK_PVV}{OLD_BLOCK}01{ACCOUNT}1%01", "FX007548")
        self.check(f"CUFFF{ZPK_1}{PVK_PVV}{OLD_BLOCK}01{ACCOUNT}17548{NEW_BLOCK}%01", "CV006010")
        self.check(f"CUFFF{ZPK_1}{PVK_PVV}{OLD_BLOCK}01{ACCOUNT}17549{NEW_BLOCK}%01", "CV01")

    def test_offset(self) -> None:
        self.check(f"BKFFF{ZPK_1}{PVK_IBM}{NEW_BLOCK}01{METHOD}%01", "BL02309783FFFFFF")
        self.check(f"BKFFF{ZPK_1}{PVK_IBM}{OLD_BLOCK}01{METHOD}%01", "BL02588664FFFFFF")
        self.check(f"EA{ZPK_1}{PVK_IBM}12{NEW_BLOCK}01{METHOD}309783FFFFFF%01", "EB02")
        self.check(f"EA{ZPK_1}{PVK_IBM}12{NEW_BLOCK}01{METHOD}309784FFFFFF%01", "EB01")
        self.check(f"DUFFF{ZPK_1}{PVK_IBM}{NEW_BLOCK}01{METHOD}309783FFFFFF{OLD_BLOCK}%01", "DV00588664FFFFFF")

    def test_decimalisation_table(self) -> None:
        self.check("LO0123456789012345", f"LP00{TABLE}")
        self.check("LO1234567890123456", "LP00C9DF59A67019D387")
        self.check("LO0000000000123456", "LP25")

    def test_import(self) -> None:
        reply = self.hsm.exchange(f"A6FFF{ZMK_1}{ZPK_1_UNDER_ZMK_1}S%01")
        self.assertEqual((reply[:21], reply[-6:]), ("A700S00072P0TB00N0001", "4FE9FD"))

    def test_echo_and_trailer(self) -> None:
        self.check("B20004PING", "B300PING")
        self.check("B20004PING%01\x19host 7", "B300PING\x19host 7")
        self.check("B20005PING", "B380")
        self.check("NO00", "NP0031640007-E00000000")


class Errors(Case):
    """What a payShield refuses."""

    def test_framing_of_fields(self) -> None:
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}X", "CD15")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT[:-1]}", "CD15")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}%02", "CD13")
        self.check("ZZ", "Z[67")

    def test_pin_block(self) -> None:
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT[:-1]}X", "CD22")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0199{ACCOUNT}", "CD23")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}4701{ACCOUNT}", "CD20")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT[:2]}9999999999", "CD20")
        zpk = self.key(key := bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), "P0B00E00")
        short = tdes_encrypt(key, bytes.fromhex("03123FFFFFFFFFFF")).hex()
        self.check(f"CC{zpk}{ZPK_2}12{short}0101000000000000", "CD24")

    def test_key_blocks(self) -> None:
        tampered = ZPK_1[:-20] + ("0" if ZPK_1[-20] != "0" else "1") + ZPK_1[-19:]
        self.check(f"CC{tampered}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}", "CDA4")
        promoted = ZPK_1.replace("P0TB", "K0TB")
        self.check(f"A8FFF{promoted}{ZPK_1}X", "A9A4")
        self.check(f"CC{PVK_PVV}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}", "CDA6")
        self.check(f"EC{ZPK_1}{PVK_IBM}{OLD_BLOCK}01{ACCOUNT}17548", "EDA6")
        self.check(f"CC{self.new_key('P0T2E00E00')}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}", "CDA8")
        self.check(f"CC{self.new_key('P0A1B00E00')}{ZPK_2}12{2 * OLD_BLOCK}0101{ACCOUNT}", "CDA7")
        self.check("CCU" + 32 * "1", "CDA1")
        self.check("A00FFFS", "A115")
        self.check("A00002S#P0T2B00E00", "A128")
        self.check("A00FFFU", "A126")
        self.check("A00FFFS#P0T2Q00E00", "A1A8")
        self.check("A00FFFS#P0T2B00E01", "A1AB")

    def test_exportability(self) -> None:
        self.check(f"A8FFF{ZMK_1}{self.new_key('P0T2B00N00')}X", "A9AA")

    def test_parity_and_weak_keys(self) -> None:
        zmk, clear = self.hsm.facts["zmk"], bytes.fromhex(self.hsm.facts["zmk_clear"])
        even = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
        reply = self.hsm.exchange(f"A6FFF{zmk}X{tdes_encrypt(clear, even).hex()}S#P0B00E00")
        self.assertEqual(reply[:4], "A701")
        for weak in ("0101010101010101", "1FE01FE00EF10EF1", "E0E0E0E0F1F1F1F1", "FE01FE01FE01FE01"):
            half = bytes.fromhex(weak) + bytes.fromhex("0123456789ABCDEF")
            self.check(f"A6FFF{zmk}X{tdes_encrypt(clear, half).hex()}S#P0B00E00", "A711")

    def test_excluded_pins(self) -> None:
        command = f"FWFFF{ZPK_1}{PVK_PVV}{OLD_BLOCK}01{ACCOUNT}1"
        self.check(f"{command}*0206123456654321%01", "FX007548")
        self.check(f"{command}*02041234", "FX03")
        self.check(f"{command}*01041234", "FX81")


class Pci(Case):
    """Restricted PIN block formats."""

    options = ("--pci",)

    def test_formats(self) -> None:
        for formats in ("0103", "0301", "0105"):
            self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}{formats}{ACCOUNT}", "CD69")
        self.check(f"CC{ZPK_1}{ZPK_2}12{OLD_BLOCK}0101{ACCOUNT}", "CD0006E614D4AFD47BD3BF01")


class Parity(Case):
    """Parity of stored keys, which only a variant LMK leaves open."""

    options = ("--lmk", "variant")

    def test_parity(self) -> None:
        good = self.hsm.exchange("A00001U")[4:-6]
        bad = good[:-1] + format(int(good[-1], 16) ^ 1, "X")
        self.check(f"CC{bad}{good}12{OLD_BLOCK}0101{ACCOUNT}", "CD10")
        self.check(f"CC{good}{bad}12{OLD_BLOCK}0101{ACCOUNT}", "CD11")
        self.check("BU0107777777777777777", "BV10")
        self.check("CCS" + ZPK_1[1:], "CDA1")


class Life(Case):
    """Keys from their making to their use."""

    def test_generate_export_import(self) -> None:
        for attributes, scheme, algorithm in (
            ("P0T2B00E00", "X", "T"), ("P0T2B00E00", "U", "T"), ("P0T3B00E00", "T", "T"),
            ("P0T2B00S00", "S", "T"), ("B0T2N00E00", "R", "T"), ("B0A1N00E00", "R", "A"), ("P0A3B00E00", "R", "A"),
        ):  # fmt: skip
            zmk = self.hsm.facts["zmk" if algorithm == "T" else "zmk_aes"]
            with self.subTest(attributes=attributes, scheme=scheme):
                stored, value = self._split(self.hsm.exchange(f"A01FFFS{zmk}{scheme}%01#{attributes}"))
                sent = stored[1]
                again = "#" + attributes[:2] + attributes[4:] if scheme in "XUT" else ""
                reply = self.hsm.exchange(f"A6FFF{zmk}{sent}S{again}")
                self.assertEqual((reply[:4], reply[-6:]), ("A700", value))
                self.check(f"BUFFF{stored[0]};FFF;001", f"BV00{value}")
                exported = self.hsm.exchange(f"A8FFF{zmk}{stored[0]}{scheme}&E")
                self.assertEqual((exported[:5], exported[-6:]), ("A900" + scheme, value))

    @staticmethod
    def _split(reply: str) -> tuple[tuple[str, str], str]:
        """The key under the LMK, the one under the ZMK, and the check value."""
        length = 1 + int(reply[6:10])
        return (reply[4 : 4 + length], reply[4 + length : -6]), reply[-6:]

    def test_no_aes_key_under_a_tdes_key(self) -> None:
        self.check(f"A01FFFS{self.hsm.facts['zmk']}R#B0A1N00E00", "A1A7")

    def test_components(self) -> None:
        parts = [bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("23456789ABCDEF01DCBA9876543210FE")]
        blocks = "".join(self.key(part, "K0B00E00") for part in parts)
        reply = self.hsm.exchange(f"A42FFFS{blocks}%01#0000")
        value = adjust_key_parity(xor(*parts))
        self.assertEqual((reply[:4], reply[-6:]), ("A500", tdes_encrypt(value, bytes(8)).hex()[:6].upper()))
        self.check(f"A41FFFS{blocks}", "A503")


class Pins(Case):
    """PINs under the LMK, DUKPT, ISO format 4 and MACs, against the algorithms."""

    def test_pin_under_lmk(self) -> None:
        for pin in ("1234", "123456", "123456789012"):
            sealed = self.hsm.exchange(f"BA{pin.ljust(13, 'F')}{PAN_12}")
            self.assertEqual(sealed[:4], "BB00")
            self.assertNotIn(pin, sealed)
            zpk = self.key(key := bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), "P0B00E00")
            block = tdes_encrypt(key, pin_blocks.encode_0(pin, PAN)).hex()
            self.check(f"BE{zpk}{block}01{PAN_12}{sealed[4:]}", "BF00")
            self.check(f"BE{zpk}{block}01{PAN_12}0{pin[::-1].ljust(12, 'F')}", "BF01")
            self.check(f"DG{PVK_PVV}{sealed[4:]}{PAN_12}1", "DH00" + self._pvv(pin))
        self.check(f"BA{'123'.ljust(13, 'F')}{PAN_12}", "BB24")
        self.assertRegex(self.hsm.exchange(f"JA{PAN_12}06"), "^JB00[1-9][0-9]{6}F{6}$")

    @staticmethod
    def _pvv(pin: str) -> str:
        return pin_values.pvv(bytes.fromhex("D3FD02258F68EFBAC8BC9B54EF46195D"), "1", pin, PAN_12)

    def test_offset_of_lmk_pin(self) -> None:
        sealed = self.hsm.exchange(f"BA{'123456'.ljust(13, 'F')}{ACCOUNT}")[4:]
        reply = self.hsm.exchange(f"DE{PVK_IBM}{sealed}{METHOD}")
        self.assertRegex(reply, "^DF02[0-9]{6}FFFFFF$")
        self.check(f"DE{PVK_IBM}{sealed}{METHOD}*0106123456", "DF86")

    def test_tdes_dukpt(self) -> None:
        bdk, ksn = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("FFFF9876543210E00001")
        stored = self.key(bdk, "B0N00E00")
        block = tdes_encrypt(tdes_dukpt.key_for(bdk, ksn, "pin"), pin_blocks.encode_0("1234", PAN)).hex()
        fields = f"A05{ksn.hex()}{block}01"
        self.check(f"GQ0{stored}{PVK_PVV}{fields}{PAN_12}1{self._pvv('1234')}", "GR00")
        self.check(
            f"G0{stored}{self.key(bdk, 'P0B00E00')}{fields}01{PAN_12}",
            "G10004" + tdes_encrypt(bdk, pin_blocks.encode_0("1234", PAN)).hex().upper() + "01",
        )
        short = f"605{ksn.hex()[4:]}{block}01"
        self.check(f"GQ0{stored}{PVK_PVV}{short}{PAN_12}1{self._pvv('1234')}", "GR00")
        offset = f"GO0{stored}{PVK_IBM}{fields}04{PAN_12}012345678901234550103093936N"
        self.assertIn(self.hsm.exchange(offset + "0000FFFFFFFF"), ("GP01", "GP02"))
        self.check(offset + "FFFFFFFFFFFF", "GP15")

    def test_aes_dukpt_and_format_4(self) -> None:
        zmk = self.hsm.facts["zmk_aes"]
        stored = self.hsm.exchange(f"A01FFFS{zmk}R#B0A1N00E00")
        length = 1 + int(stored[6:10])
        _, bdk = tr31.unwrap(bytes.fromhex(self.hsm.facts["zmk_aes_clear"]), stored[5 + length : -6])
        ksn = bytes.fromhex("123456789012345600000003")
        block = pin_blocks.encrypt_4(aes_dukpt.key_for(bdk, ksn, "pin"), "123456", PAN, bytes(8)).hex()
        fields = f"{stored[4 : 4 + length]}%s808{ksn.hex()}{block}48"
        self.check("GQ0" + fields % PVK_PVV + f"{PAN};1{self._pvv('123456')}", "GR00")
        zpk = self.key(key := bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), "P0B00E00")
        self.check(
            "G0" + fields % zpk + f"01{PAN};",
            "G10006" + tdes_encrypt(key, pin_blocks.encode_0("123456", PAN)).hex().upper() + "01",
        )
        aes_zpk = self.new_key("P0A1B00E00")
        translated = self.hsm.exchange("G0" + fields % aes_zpk + f"48{PAN};")
        self.assertRegex(translated, "^G10006[0-9A-F]{32}48$")
        self.check(f"EC{aes_zpk}{PVK_PVV}{translated[6:38]}48{PAN};1{self._pvv('123456')}", "ED00")
        request = aes_dukpt.key_for(bdk, ksn, "mac_gen")
        self.check(
            f"GW43{stored[4 : 4 + length]}808{ksn.hex()}0004data",
            "GX00" + macs.cmac_aes(request, b"data").hex()[:16].upper(),
        )

    def test_format_round_trips(self) -> None:
        zpk = self.key(key := bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), "P0B00E00")
        block = tdes_encrypt(key, pin_blocks.encode_0("123456", PAN)).hex()
        for code in ("01", "03", "05", "47"):
            there = self.hsm.exchange(f"CC{zpk}{zpk}12{block}01{code}{PAN_12}")
            self.assertEqual(there[:6] + there[-2:], "CD0006" + code)
            self.check(f"CC{zpk}{zpk}12{there[6:22]}{code}01{PAN_12}", f"CD0006{block.upper()}01")

    def test_macs_in_parts(self) -> None:
        data = bytes(range(40))
        for algorithm, usage, kind in (
            ("1", "M1", "T2"), ("3", "M3", "T2"), ("5", "M5", "T2"),
            ("5", "M5", "A2"), ("6", "M6", "T3"), ("6", "M6", "A1"),
        ):  # fmt: skip
            key = self.new_key(f"{usage}{kind}N00E00")
            for padding in "012":
                for tail in (b"", b"1234567", b"12345678") if padding != "0" else (b"",):
                    with self.subTest(algorithm=algorithm, kind=kind, padding=padding, tail=tail):
                        self._check_parts(f"1{algorithm}{padding}FFF{key}", data[:32] + tail)

    def _check_parts(self, rest: str, message: bytes) -> None:
        """The MAC of a message in one, two and three blocks, and its verification; 16 bytes suit all ciphers."""

        def hexadecimal(part: bytes) -> str:
            return f"{2 * len(part):04X}{part.hex()}"

        whole = self.hsm.exchange(f"M600{rest}{len(message):04X}".encode() + message)
        self.assertRegex(whole, "^M700[0-9A-F]{16}$")
        chained = self.hsm.exchange(f"M611{rest}{hexadecimal(message[:16])}")[4:]
        self.check(f"M631{rest}{chained}{hexadecimal(message[16:])}", whole)
        chained = self.hsm.exchange(f"M821{rest}{chained}{hexadecimal(message[16:32])}")[4:]
        if len(message) > 32:
            self.check(f"M831{rest}{chained}{hexadecimal(message[32:])}{whole[4:]}", "M900")
        self.check(f"M801{rest}{hexadecimal(message)}{whole[4:]}", "M900")
        self.check(f"M801{rest}{hexadecimal(message)}{'F' * 16 if whole[4] == '0' else '0' * 16}", "M901")

    def test_mac_errors(self) -> None:
        key = self.new_key("M3T2G00E00")
        for command, expected in (
            (f"M640031FFF{key}0000", "M702"), (f"M600041FFF{key}0000", "M704"), (f"M603031FFF{key}0000", "M703"),
            (f"M600034FFF{key}0000", "M709"), (f"M600031002{key}0000", "M705"), (f"M600030FFF{key}000312x", "M706"),
            (f"M600011FFF{key}0000", "M7A6"), (f"M800031FFF{key}0000{8 * '0'}", "M9A8"),
        ):  # fmt: skip
            self.check(command, expected)

    def test_gw_as_recorded(self) -> None:
        stored = self.key(bytes.fromhex("C8A16DABB957C1761652C1A49E836294"), "B0N00E00")
        data = bytes.fromhex("ABCDEF1234")
        head = stored.encode() + b"A05" + b"FFFF0000000000000000"
        self.check(b"GW41" + head + b"0005" + data, "GX003E3DEE3DC52E53ED")
        self.check(b"GW11" + head + b"3E3DEE3DC52E53ED" + b"0005" + data, "GX00")
        self.check(b"GW21" + head + b"3E3DEE3D" + b"0005" + data, "GX00")
        self.check(b"GW31" + head + b"3E3DEE3D" + b"0005" + data, "GX01")
        self.check(b"GW61" + head + b"0005" + data + b"%01", "GX00C52E53ED")


if __name__ == "__main__":
    unittest.main()
