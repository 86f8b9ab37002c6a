//! NumPy-like arrays over interchangeable backends.
