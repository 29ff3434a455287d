"""PIN cryptography out of well-known Python libraries, as a second opinion on the one under test.

Block ciphers, MACs, PIN values and key blocks come from psec, cryptography, pycryptodome and gmssl; only what
none of them has (both kinds of DUKPT, ISO format 1, the Chinese layouts and MACs) is composed here from their ciphers.
"""

import warnings

# psec asks cryptography for TripleDES, which announces its move; the pinned versions work.
warnings.filterwarnings("ignore", message=".*TripleDES.*")
