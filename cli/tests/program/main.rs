//! The program as its users meet it.

mod common;
mod correct;
mod damage;
mod faults;
mod flag;
mod general;
mod plot;
mod scene;
