//! stillhunt audits the serving logs of a language-model provider for model distillation.
#![allow(dead_code)]

pub mod audit;
pub mod cli;
pub mod embed;
pub mod error;
pub mod exchange;
pub mod family;
pub mod ids;
pub mod index;
pub mod log;
pub mod report;
pub mod simulate;
pub mod stats;
pub mod store;
pub mod text;
pub mod token;
