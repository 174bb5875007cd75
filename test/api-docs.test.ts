/**
 * What the API reference must say, held by rule: every export and public member says what it is; functions that take or return
 * arrays of numbers say shapes; functions that throw say when; methods say where they come from.
 */
import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const entries = ["index", "onnx", "autodiff", "data", "studies", "distributed", "node", "web"].map((name) =>
  join(root, "src", `${name}.ts`),
);
const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => readFileSync(path, "utf8"));
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: entries }, ts.sys, root);
const program = ts.createProgram(entries, options);
const checker = program.getTypeChecker();

/** Something that the reference shows. */
interface Documented {
  /** Where it is declared and what it is called: "src/optim/sgd.ts sgd.momentum". */
  readonly label: string;
  readonly symbol: ts.Symbol;
  readonly declaration: ts.Declaration;
}

const isOurs = (node: ts.Node) => node.getSourceFile().fileName.startsWith(join(root, "src"));
const documented = new Map<ts.Declaration, Documented>();
for (const entry of entries) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile) as ts.Symbol;
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    for (const declaration of symbol.declarations ?? []) add(exported.name, symbol, declaration);
  }
}

function add(name: string, symbol: ts.Symbol, declaration: ts.Declaration): void {
  if (!isOurs(declaration) || documented.has(declaration)) return;
  const label = `${relative(root, declaration.getSourceFile().fileName)} ${name}`;
  documented.set(declaration, { label, symbol, declaration });
  for (const member of membersOf(declaration)) {
    const memberSymbol = checker.getSymbolAtLocation(member.name as ts.Node);
    if (memberSymbol) add(`${name}.${member.name?.getText()}`, memberSymbol, member);
  }
}

/** Public members of classes, interfaces and types that are written as objects or choices of objects. */
function membersOf(declaration: ts.Node): (ts.ClassElement | ts.TypeElement)[] {
  const isHidden = (member: ts.Declaration) =>
    (ts.getCombinedModifierFlags(member) & (ts.ModifierFlags.Private | ts.ModifierFlags.Override)) !== 0 ||
    (member as ts.ClassElement).name?.kind === ts.SyntaxKind.PrivateIdentifier;
  if (
    ts.isClassDeclaration(declaration) ||
    ts.isInterfaceDeclaration(declaration) ||
    ts.isTypeLiteralNode(declaration)
  )
    return [...declaration.members].filter((member) => member.name && !isHidden(member));
  if (ts.isTypeAliasDeclaration(declaration)) return membersOf(declaration.type);
  if (ts.isParenthesizedTypeNode(declaration)) return membersOf(declaration.type);
  if (ts.isUnionTypeNode(declaration) || ts.isIntersectionTypeNode(declaration))
    return declaration.types.flatMap(membersOf);
  return [];
}

const textOf = ({ symbol }: Documented) =>
  ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
const tagsOf = ({ symbol }: Documented) =>
  symbol.getJsDocTags(checker).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
const allOf = (each: Documented) => [textOf(each), ...tagsOf(each)].join("\n");

const says = (each: Documented) =>
  textOf(each) !== "" || tagsOf(each).some((tag) => tag.startsWith("@returns "));

/** A choice of objects may say in its own words what its members are, with their names in backticks. */
const isNamed = ({ label, declaration }: Documented) => {
  const alias = ts.findAncestor(declaration, ts.isTypeAliasDeclaration);
  const comments = alias ? ts.getJSDocCommentsAndTags(alias).map((comment) => comment.getText()) : [];
  return comments.some((text) => text.includes(`\`${label.replace(/.*\./, "")}\``));
};

/** The tag of a choice of objects needs no words: its value is its meaning. */
const isTag = ({ declaration }: Documented) =>
  ts.isPropertySignature(declaration) &&
  declaration.type !== undefined &&
  ts.isLiteralTypeNode(declaration.type);

const everything = [...documented.values()];
const labels = (list: readonly Documented[]) => list.map(({ label }) => label).sort();
const isCallable = ({ declaration }: Documented) =>
  ts.isFunctionDeclaration(declaration) ||
  ts.isMethodSignature(declaration) ||
  ts.isMethodDeclaration(declaration);
const functions = everything.filter(isCallable);
/** A function of `named`, which makes a thing that is chosen by name. */
const isMaker = ({ declaration }: Documented) =>
  ts.isVariableDeclaration(declaration) &&
  declaration.initializer !== undefined &&
  ts.isCallExpression(declaration.initializer) &&
  declaration.initializer.expression.getText() === "named";

/** Types that hold numbers of some shape. Bytes are not such, and lists of whole numbers are shapes themselves. */
const arrays =
  /^(?:readonly )?(?:Tensor|TensorData|Tensors|Arrays|Float32Array|Float64Array|Int32Array)\b|Record<string, (?:Tensor|Parameter)>/;

function holdsArrays({ declaration }: Documented): boolean {
  const signature = declaration as ts.SignatureDeclaration;
  const types = [...signature.parameters.map(({ type }) => type), signature.type];
  return types.some((type) => type && arrays.test(type.getText().replace(/^(?:Promise|Readonly)</, "")));
}

/** Whether a function throws on purpose: by itself, or through a function whose documentation says so. */
function throws({ declaration }: Documented): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    // What is caught is not thrown, save for what the handler throws.
    if (ts.isTryStatement(node) && node.catchClause) {
      visit(node.catchClause);
      if (node.finallyBlock) visit(node.finallyBlock);
      return;
    }
    if (ts.isThrowStatement(node)) found = true;
    if (ts.isCallExpression(node) && documentsThrows(node)) found = true;
    ts.forEachChild(node, visit);
  };
  const { body } = declaration as ts.FunctionDeclaration;
  if (body) visit(body);
  return found;
}

function documentsThrows(call: ts.CallExpression): boolean {
  const { declaration } = checker.getResolvedSignature(call) ?? {};
  return declaration !== undefined && isOurs(declaration) && ts.getJSDocTags(declaration).some(isThrows);
}

const isThrows = ({ tagName }: ts.JSDocTag) => tagName.text === "throws";

describe("the API reference", () => {
  it("covers every entry point", () => {
    expect(everything.length).toBeGreaterThan(600);
    expect(functions.length).toBeGreaterThan(120);
  });

  it("says of every export and member what it is", () => {
    expect(labels(everything.filter((each) => !isTag(each) && !says(each) && !isNamed(each)))).toEqual([]);
  });

  it("says shapes where arrays of numbers are taken or returned: [k, n]", () => {
    const silent = functions.filter((each) => holdsArrays(each) && !/\[[^\]]*\]/.test(allOf(each)));
    expect(labels(silent)).toEqual([]);
  });

  it("says where a method comes from", () => {
    const isMethod = ({ label }: Documented) =>
      /^src\/(aggregate|tangents|optim|models)\/(?!samplers)/.test(label);
    const methods = functions.filter(isMethod);
    const named = [
      ...methods.filter(({ declaration }) =>
        /^(Aggregator|Sampler|Optimizer|Graph)$/.test(
          (declaration as ts.FunctionDeclaration).type?.getText() ?? "",
        ),
      ),
      ...everything.filter((each) => isMaker(each) && isMethod(each)),
    ];
    expect(named.length).toBeGreaterThan(15);
    const silent = named.filter((each) => !/arXiv|et al\.|PyTorch|@source |https:/.test(allOf(each)));
    expect(labels(silent)).toEqual([]);
  });

  it("says when a function throws", () => {
    const silent = functions.filter((each) => throws(each) && !/@throws \S/.test(allOf(each)));
    expect(labels(silent)).toEqual([]);
  });
});
