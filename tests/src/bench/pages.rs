//! The vendor's pages over one connection that stays open: no more than a socket and a length, so that the floor pays
//! for nothing that it does not need.

use anyhow::{Context, Result, bail};
use onefold_sdk::{Page, cut};
use onefold_tests::vendors::hubspot::TOKEN;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// What the connector asks for.
const PROPERTIES: &str = "email,firstname,lastname,phone,mobilephone,company,jobtitle,website,address,city,state,zip,country,\
    hs_language,hs_timezone,lifecyclestage,createdate,lastmodifieddate,hs_object_id";

pub struct Pages {
    stream: BufReader<TcpStream>,
    after: Option<String>,
    done: bool,
}

#[derive(Deserialize)]
struct Envelope {
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    after: Option<String>,
}

impl Pages {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(1 << 16, stream),
            after: None,
            done: false,
        })
    }

    /// The records of the next page as the vendor wrote them; none behind the last page.
    pub fn next_page(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        if self.done {
            return Ok(None);
        }
        let body = self.get()?;
        let page: Page<'_> = cut(&body, &["results"])?;
        let envelope: Envelope = page.envelope()?;
        let next = envelope.paging.and_then(|paging| paging.next);
        self.after = next.and_then(|next| next.after);
        self.done = self.after.is_none();
        Ok(Some(
            page.rows.iter().map(|row| row.bytes.to_vec()).collect(),
        ))
    }

    fn get(&mut self) -> Result<Vec<u8>> {
        let after = self.after.as_ref().map(|after| format!("&after={after}"));
        let request = format!(
            "GET /crm/v3/objects/contacts?limit=100&archived=false&properties={}{} HTTP/1.1\r\n\
             host: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n",
            PROPERTIES.replace(',', "%2C"),
            after.unwrap_or_default()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if !line.starts_with("HTTP/1.1 200 ") {
            bail!("the vendor answered `{}`", line.trim());
        }
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            }
        }
        let mut body = vec![0; length.context("the vendor's answer has no length")?];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }
}
