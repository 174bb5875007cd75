// A folder of files that any server serves: the page trains by itself.
export default { output: "export" };
