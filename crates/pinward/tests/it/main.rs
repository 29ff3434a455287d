//! The program as its users run it: arguments in, output, files and exit code out.

mod key;
