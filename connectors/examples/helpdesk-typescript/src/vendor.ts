// What every part needs of the vendor: its words for errors, the configuration, where it is.

import { Vendor, base, config } from "@onefold/sdk";

export const vendor = new Vendor({ name: "helpdesk", code: ["/error/code"], message: ["/error/message"] });

export const settings = config.fields({
  base_url: config.string("https://desk.example.com"),
  page_size: config.integer(200),
});

export type Config = ReturnType<typeof settings>;

export function at(config: Config, path: string): string {
  return base(config.base_url) + path;
}
