declare module "virtual:docs-entries" {
  const entries: readonly import("./pages.ts").Entry[];
  export default entries;
}
