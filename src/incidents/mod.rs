//! A declared fault and its fallback: people are told and kept calm, staff registers on paper, the paper comes back,
//! and afterwards it is on record what happened.
