/** Migrations are imported as text, so that they are inside the compiled program. */
declare module "*.sql" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: this is what the platform makes of a text file
  export default text;
}
