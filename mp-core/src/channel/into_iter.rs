//! `for message in receiver`, as with the receivers of std: the iterator owns the end.

use super::joinable::JoinableQueue;
use super::pipe::{Duplex, Iter, Receiver};
use super::queue::{Messages, Queue};
use crate::error::Error;
use serde::de::DeserializeOwned;
use std::iter::FusedIterator;

/// The messages of an end or a queue that it owns: of `for message in receiver`. It ends as the iterator over a reference does.
#[derive(Debug)]
pub struct IntoIter<S>(S);

macro_rules! gives_messages {
    ($([$($generics:ident),*] $source:ty => $message:ident;)+) => {$(
        impl<$($generics),*> Iterator for IntoIter<$source>
        where
            $message: DeserializeOwned,
        {
            type Item = Result<$message, Error>;

            fn next(&mut self) -> Option<Self::Item> {
                self.0.iter().next()
            }
        }

        impl<$($generics),*> FusedIterator for IntoIter<$source> where $message: DeserializeOwned {}

        impl<$($generics),*> IntoIterator for $source
        where
            $message: DeserializeOwned,
        {
            type Item = Result<$message, Error>;
            type IntoIter = IntoIter<Self>;

            fn into_iter(self) -> Self::IntoIter {
                IntoIter(self)
            }
        }
    )+};
}

gives_messages! {
    [T] Receiver<T> => T;
    [A, B] Duplex<A, B> => B;
    [T] Queue<T> => T;
    [T] JoinableQueue<T> => T;
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a JoinableQueue<T> {
    type Item = Result<T, Error>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

// Nobody opens again what was closed.
impl<T: DeserializeOwned> FusedIterator for Iter<'_, T> {}
impl<T: DeserializeOwned> FusedIterator for Messages<'_, T> {}
