//! The words for people: what each response code and reason means and what to do, in Chinese and English.
