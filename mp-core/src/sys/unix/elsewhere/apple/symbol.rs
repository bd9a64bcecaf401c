//! Functions that not every version of the system has.

#![allow(unsafe_code)] // dlsym

use std::ffi::CStr;

/// Where a function is, if this system has it.
pub fn find(name: &CStr) -> Option<std::ptr::NonNull<libc::c_void>> {
    // SAFETY: duty: a name that ends in NUL: a `CStr`.
    std::ptr::NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}
