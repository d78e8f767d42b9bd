//! What workers do in their chats: come in by an invitation, write to residents, see how things stand.

pub mod desk;
pub mod inbox;
pub mod invitation;
pub mod visits;
