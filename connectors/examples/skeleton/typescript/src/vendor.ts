// What every part needs of the vendor: its words for errors, the configuration, where it is.

import { Vendor, base, config } from "@onefold/sdk";

// Where the answer to a refused request has an error's code and message.
export const vendor = new Vendor({ name: "helpdesk", code: ["/error/code"], message: ["/error/message"] });

// A field for each property of `config.schema.json`.
export const settings = config.fields({
  base_url: config.string("https://api.example.com"),
});

export type Config = ReturnType<typeof settings>;

export function at(config: Config, path: string): string {
  return base(config.base_url) + path;
}
