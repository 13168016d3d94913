/** The command and the Python lines that give the picture on the page, and the file they write. */

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const python = JSON.stringify; // Python reads JSON's strings as its own
const plain = (text) => (/^[\w./:@%+-]+$/.test(text) ? text : shell(text));

const OWN = new Set(["image", "origin"]); // attributes of a result; the others are its `pictures`

/** Where a picture, named as formats of the service are, is saved. */
export const fileOf = (picture) => `${picture === "image" ? "result" : picture}.png`;

/** `asked`: {photo: a file's name, person, pose and in_place: as sent, model, picture: as formats are named}. */
export function curl(asked, address, withKey) {
  const pose = typeof asked.pose === "string" ? asked.pose : JSON.stringify(asked.pose);
  const file = /^[\w.-]+$/.test(asked.photo) ? asked.photo : python(asked.photo); // curl's own quotes, too
  const fields = [`photo=@${file}`, `pose=${pose}`, `model=${asked.model}`];
  if (asked.person) fields.push(`person=${asked.person}`);
  if (asked.in_place) fields.push("in_place=true");
  if (asked.picture !== "image") fields.push(`format=${asked.picture}`);
  const lines = [
    ...(withKey ? ['-H "X-API-Key: $PG2_API_KEY"'] : []),
    ...fields.map((field) => `-F ${plain(field)}`),
    `${plain(`${address}v1/generate`)} -o ${fileOf(asked.picture)}`,
  ];
  return `curl ${lines.join(" \\\n  ")}`;
}

export function pythonLines(asked) {
  const { imports, pose } = pythonPose(asked.pose);
  const person = asked.person ? `, person=${asked.person}` : "";
  const placed = asked.in_place ? ", in_place=True" : "";
  return [
    ...imports,
    "",
    `pipe = Pipeline.from_pretrained(${python(asked.model)})`,
    `result = pipe(${python(asked.photo)}, ${pose}${person}${placed})`,
    `result.${OWN.has(asked.picture) ? asked.picture : `pictures[${python(asked.picture)}]`}.save(${python(fileOf(asked.picture))})`,
  ].join("\n");
}

function pythonPose(pose) {
  if (typeof pose === "string") return { imports: ["from pg2 import Pipeline"], pose: python(pose) };
  const points = pose.keypoints.map((point) => (point ? `(${point.join(", ")})` : "(nan, nan)"));
  const imports = [...(pose.keypoints.includes(null) ? ["from math import nan"] : []), "from pg2 import Pipeline, Pose"];
  return { imports, pose: `Pose([${points.join(", ")}], (${pose.size.join(", ")}))` };
}
