//! What workers do in their chats: come in by an invitation, write to residents, see how things stand, report from the
//! sites; and what they are told of unasked.

pub mod alerts;
pub mod desk;
pub mod inbox;
pub mod invitation;
pub mod site;
pub mod today;
pub mod visits;
