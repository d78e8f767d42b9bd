//! `weir invite`: links and QR codes to post at each unit's door. They name a unit, never a person.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use qrcode::{QrCode, render::svg};
use serde_json::json;

use super::Session;
use crate::{
    app::Service,
    domain::Language,
    i18n::{Texts, notices},
    release::communities::Communities,
    store::UnitRow,
};

/// `weir invite`
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// Only this community, as street/community where its name is not the only one; may be given more than once. All
    /// by default.
    #[arg(long)]
    community: Vec<String>,
    /// The page to write: print it, cut it, post it.
    #[arg(long, default_value = "invite.html", value_name = "FILE")]
    out: PathBuf,
    /// The bot's username; asked of Telegram where a token is configured.
    #[arg(long)]
    bot: Option<String>,
}

/// Writes the page.
pub async fn run(args: &InviteArgs, session: &Session) -> Result<ExitCode> {
    let store = session.store().await?;
    let mut units = store.units().await?;
    if units.is_empty() {
        bail!("there are no units: `weir import` first");
    }
    let places = units.iter().map(|row| &row.place);
    let communities = Communities::named(&args.community, places).map_err(Error::msg)?;
    units.retain(|row| communities.contains(&row.place));
    units.sort_by(|a, b| a.place.natural_cmp(&b.place));
    let bot = bot_name(args, session).await?;
    let links: Vec<String> = units
        .iter()
        .map(|unit| format!("https://t.me/{bot}?start={}", unit.code))
        .collect();
    let page = page(&units, &links, session)?;
    std::fs::write(&args.out, page)
        .with_context(|| format!("{} could not be written", args.out.display()))?;
    let list: Vec<_> = units
        .iter()
        .zip(&links)
        .map(|(row, link)| json!({ "unit": row.place, "link": link }))
        .collect();
    session.out.answer(
        &json!({ "file": args.out.display().to_string(), "units": list }),
        || {
            let shown: Vec<String> = units
                .iter()
                .zip(&links)
                .take(3)
                .map(|(row, link)| format!("  {}  {link}", row.place))
                .collect();
            format!(
                "{} units in {}: open it in a browser and print it.\n{}{}",
                units.len(),
                args.out.display(),
                shown.join("\n"),
                if units.len() > 3 { "\n  …" } else { "" }
            )
        },
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn bot_name(args: &InviteArgs, session: &Session) -> Result<String> {
    if let Some(bot) = &args.bot {
        return Ok(bot.trim_start_matches('@').to_owned());
    }
    let service = Service::new(session.config.clone(), session.clock.clone())?;
    match service.bot_username().await {
        Some(Ok(name)) => Ok(name),
        Some(Err(error)) => {
            bail!("Telegram does not tell the bot's username ({error}): give it with --bot NAME")
        }
        None => bail!("no telegram.token is configured: give the bot's username with --bot NAME"),
    }
}

fn page(units: &[UnitRow], links: &[String], session: &Session) -> Result<String> {
    let texts = Texts::load()?;
    let languages = [session.config.city.default_language, Language::En];
    let scan = languages
        .map(|language| escape(&notices::scan_code(&texts, language)))
        .join("<br>");
    let mut cards = String::new();
    for (row, link) in units.iter().zip(links) {
        let code = QrCode::new(link).context("the link does not fit into a QR code")?;
        let picture = code
            .render::<svg::Color<'_>>()
            .min_dimensions(150, 150)
            .quiet_zone(true)
            .build();
        let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg);
        let place = &row.place;
        cards.push_str(&format!(
            "<section>{picture}<h2>{}{}</h2><p>{}</p><p>{scan}</p></section>\n",
            escape(&place.building),
            escape(&place.unit),
            escape(&place.community),
        ));
    }
    Ok(format!(
        "<!doctype html><html lang=\"zh-Hans\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>\
         body{{font-family:system-ui,'Noto Sans CJK SC',sans-serif;margin:0;display:grid;\
         grid-template-columns:repeat(auto-fill,minmax(240px,1fr));color:#000;background:#fff}}\
         section{{border:1px dashed #999;padding:16px;text-align:center;break-inside:avoid}}\
         h2{{font-size:28px;margin:8px 0 0}}p{{margin:6px 0;font-size:16px}}svg{{width:180px;height:180px}}</style>\n{cards}</html>\n",
        escape(&session.config.sms.sender_name)
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
