// Lists the endpoints of /openapi.json.
const create = (name, text = "", className = "") =>
  Object.assign(document.createElement(name), { textContent: text, className });

function parameterTable(parameters) {
  const table = create("table");
  const head = table.createTHead().insertRow();
  for (const title of ["Parameter", "Meaning"]) head.append(Object.assign(create("th", title), { scope: "col" }));
  for (const parameter of parameters) {
    const row = table.createTBody().insertRow();
    row.insertCell().textContent = parameter.name;
    row.insertCell().textContent = (parameter.description ?? "").replaceAll("`", "");
  }
  return table;
}

function endpoint(path, method, operation) {
  const section = create("section", "", "panel endpoint");
  const title = create("h2");
  title.append(create("span", method.toUpperCase(), "method"), path);
  section.append(title, create("p", operation.summary ?? ""));
  for (const paragraph of (operation.description ?? "").split(/\n\s*\n/).filter(Boolean)) {
    section.append(create("p", paragraph.replaceAll("`", ""), "hint"));
  }
  if (operation.parameters?.length) section.append(parameterTable(operation.parameters));
  if (operation.security) {
    const example = create("div", "", "code");
    const line = `curl -H "Authorization: Bearer READ_KEY" "${location.origin}${path}"`;
    example.append(Object.assign(create("pre"), { textContent: line }));
    section.append(example);
  }
  return section;
}

const description = await (await fetch("/openapi.json")).json();
for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    document.getElementById("endpoints").append(endpoint(path, method, operation));
  }
}
