interface TrustedTypePolicy {
  createHTML(text: string): string;
}

interface TrustedTypeRules {
  createHTML?: (text: string) => string;
  createScriptURL?: (address: string) => string;
}

/** Missing in browsers that do not know the policy either. */
declare var trustedTypes: { createPolicy(name: string, rules: TrustedTypeRules): TrustedTypePolicy } | undefined;
