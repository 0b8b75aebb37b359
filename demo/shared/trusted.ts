// The pages' policy asks for Trusted Types: an address that becomes a script goes through here. It is one of the site's own workers.

/** Before the page starts its first worker. */
export function trustOwnWorkers(): void {
  globalThis.trustedTypes?.createPolicy("default", {
    createScriptURL(address) {
      if (new URL(address, location.href).origin === location.origin) return address;
      throw new TypeError(`${address} is no script of this site.`);
    },
  });
}
