/** Files for the reader. */

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the address after this returns.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function downloadJson(value, name) {
  download(new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: "application/json" }), name);
}
