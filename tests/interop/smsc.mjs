// A tiny SMSC on other people's SMPP (npm's `smpp`), to hold Weir's against.
//
// node smsc.mjs [port]: one JSON line per event on stdout; a line `mo <from> <text>` on stdin brings a text from
// a phone to the client that bound last.

import { createInterface } from 'node:readline';
import smpp from 'smpp';

const RECEIPT_AFTER_MS = 20;
const UCS2_UNITS_MAX = 70;
const UCS2_UNITS_IN_PART_MAX = 66; // The header with a 16-bit reference is one octet longer.

let bound = null;
let lastId = 0;
let lastReference = 0x0100;

const say = (event, facts = {}) => process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);

const ask = (session, deliver) => new Promise((answered) => session.deliver_sm(deliver, answered));

async function sendReceipt(session, submit, id) {
  const receipt = `id:${id} sub:001 dlvrd:001 submit date:2211011200 done date:2211011200 stat:DELIVRD err:000 text:`;
  const answer = await ask(session, {
    source_addr: submit.destination_addr,
    source_addr_ton: 1,
    destination_addr: submit.source_addr,
    esm_class: 0x04,
    data_coding: 0,
    short_message: Buffer.from(receipt, 'ascii'),
  });
  say('deliver_resp', { of: 'receipt', status: answer.command_status });
}

async function bring(session, from, text) {
  const octets = smpp.encodings.UCS2.encode(text);
  const parts = [];
  if (text.length <= UCS2_UNITS_MAX) {
    parts.push(octets);
  } else {
    const size = 2 * UCS2_UNITS_IN_PART_MAX;
    const total = Math.ceil(octets.length / size);
    const reference = lastReference++;
    for (let number = 1; number <= total; number++) {
      const header = Buffer.from([6, 8, 4, reference >> 8, reference & 0xff, total, number]);
      parts.push(Buffer.concat([header, octets.subarray((number - 1) * size, number * size)]));
    }
  }
  for (const part of parts) {
    const answer = await ask(session, {
      source_addr: from,
      source_addr_ton: 1,
      source_addr_npi: 1,
      esm_class: parts.length > 1 ? 0x40 : 0,
      data_coding: 8,
      short_message: part,
    });
    say('deliver_resp', { of: 'mo', status: answer.command_status });
  }
}

const server = smpp.createServer((session) => {
  session.on('bind_transceiver', (bind) => {
    session.send(bind.response({ system_id: 'independent' }));
    bound = session;
    say('bind', { system_id: bind.system_id, interface_version: bind.interface_version });
  });
  session.on('submit_sm', (submit) => {
    const id = `${Date.now().toString(16)}-${++lastId}`;
    session.send(submit.response({ message_id: id }));
    say('submit', {
      id,
      to: submit.destination_addr,
      from: submit.source_addr,
      ton: submit.dest_addr_ton,
      text: submit.short_message.message,
      esm_class: submit.esm_class,
      data_coding: submit.data_coding,
      udh: (submit.short_message.udh ?? []).map((element) => element.toString('hex')),
      registered_delivery: submit.registered_delivery,
      validity_period: submit.validity_period,
    });
    setTimeout(() => sendReceipt(session, submit, id), RECEIPT_AFTER_MS);
  });
  session.on('enquire_link', (enquiry) => {
    session.send(enquiry.response());
    say('enquire_link');
  });
  session.on('unbind', (unbind) => {
    session.send(unbind.response());
    session.close();
    say('unbind');
  });
  session.on('error', (error) => say('error', { why: error.message }));
  session.on('close', () => {
    if (bound === session) bound = null;
    say('close');
  });
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => say('listening', { port: server.address().port }));

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [, from, text] = /^mo (\S+) (.*)$/.exec(line) ?? [];
    if (text !== undefined && bound) bring(bound, from, text);
    else say('error', { why: 'nobody is bound, or not: mo <from> <text>' });
  })
  .on('close', () => process.exit(0));
