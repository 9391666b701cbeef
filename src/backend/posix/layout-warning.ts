/** Scoped and bare ids are both served whatever the marker says, so its absence stops nothing. */
export function missingMarker(name: string, path: string): string {
  return (
    `Volume "${name}" has no ${path}/version.txt, so it is read as one of the layout before quota scopes. ` +
    `Vfolders of both layouts are served; write "3" to that file once none of the old layout is left`
  );
}
