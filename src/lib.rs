//! stillhunt audits the serving logs of a language-model provider for model distillation.
#![allow(dead_code)]

pub mod error;
pub mod exchange;
pub mod ids;
pub mod simulate;
