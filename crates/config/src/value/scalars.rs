//! Numbers, words, addresses, paths.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::de::DeValue;
use topology::Address;

use super::Value;
use crate::reader::{At, Reader};

macro_rules! whole_number {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                let DeValue::Integer(number) = at.value.get_ref() else {
                    return reader.refuse_shape(at, &Self::shape());
                };
                let value = Self::from_str_radix(&number.as_str().replace('_', ""), number.radix());
                if value.is_err() {
                    reader.refuse(at, format!("{number} is out of range: it must be from 0 to {}", Self::MAX));
                }
                value.ok()
            }

            fn shape() -> String {
                "whole number".to_owned()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_number!(u32, u64, usize);

impl Value for bool {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match at.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => reader.refuse_shape(at, &Self::shape()),
        }
    }

    fn shape() -> String {
        "true | false".to_owned()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        reader.text(at, &Self::shape()).map(str::to_owned)
    }

    fn shape() -> String {
        "text".to_owned()
    }

    fn show(&self) -> String {
        toml::Value::from(self.as_str()).to_string()
    }
}

impl Value for PathBuf {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        reader.text(at, &Self::shape()).map(Self::from)
    }

    fn shape() -> String {
        "path".to_owned()
    }

    fn show(&self) -> String {
        toml::Value::from(self.to_string_lossy().as_ref()).to_string()
    }
}

impl Value for SocketAddr {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(at, &Self::shape())?;
        let value = text.parse();
        if value.is_err() {
            reader
                .refuse(at, format!("{text:?} is not IP:PORT, such as \"127.0.0.1:6033\" or \"[::]:6033\""));
        }
        value.ok()
    }

    fn shape() -> String {
        "\"IP:PORT\"".to_owned()
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Value for Address {
    fn read(at: &At<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(at, &Self::shape())?;
        let value = text.parse();
        if value.is_err() {
            reader.refuse(at, format!("{text:?} is not HOST:PORT, such as \"db1.example.com:3306\""));
        }
        value.ok()
    }

    fn shape() -> String {
        "\"HOST:PORT\"".to_owned()
    }

    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}
