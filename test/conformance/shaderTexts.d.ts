/** A shader with its own names: in the build, `?raw` alone gives those of shaders/ short ones. */
declare module "*.wgsl?raw&named" {
  const text: string;
  export default text;
}
