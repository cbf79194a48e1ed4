package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// wordRule is a word or phrase that must not occur in its scope.
type wordRule struct {
	words                        []string // lower case
	replacement                  string
	inParts, inNames, inComments bool
}

// wordUse is one occurrence of a listed word.
type wordUse struct {
	line              int
	word, replacement string
}

// parseRule parses a line of words.txt. It returns one rule for each word or phrase
// of the first column.
func parseRule(line string) ([]wordRule, error) {
	columns := append(strings.Split(line, "\t"), "all")
	if len(columns) < 3 || len(columns) > 4 {
		return nil, fmt.Errorf("%q is not words, replacement and an optional scope, separated by tabs", line)
	}
	rule := wordRule{replacement: columns[1]}
	switch columns[2] {
	case "all":
		rule.inParts, rule.inComments = true, true
	case "identifiers":
		rule.inParts = true
	case "names":
		rule.inNames = true
	case "comments":
		rule.inComments = true
	default:
		return nil, fmt.Errorf("%q is not a scope: use identifiers, names, comments or all", columns[2])
	}
	var rules []wordRule
	for phrase := range strings.SplitSeq(columns[0], ",") {
		rule.words = strings.Fields(strings.ToLower(phrase))
		if len(rule.words) == 0 {
			return nil, fmt.Errorf("%q has an empty word", line)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

// findWords returns the uses of listed words in the file.
func findWords(rules []wordRule, file string, text []byte) ([]wordUse, error) {
	s := scan{rules: rules, isGo: path.Ext(file) == ".go", isTest: strings.HasSuffix(file, "_test.go")}
	s.parts(1, splitIdentifier(strings.TrimSuffix(path.Base(file), path.Ext(file))))
	if !s.isGo {
		s.prose(1, string(text))
		return s.sorted(), nil
	}
	s.files = token.NewFileSet()
	parsed, err := parser.ParseFile(s.files, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, group := range parsed.Comments {
		s.comment(group)
	}
	ast.Inspect(parsed, s.node)
	return s.sorted(), nil
}

// scan collects the uses in one file.
type scan struct {
	rules  []wordRule
	isGo   bool
	isTest bool
	files  *token.FileSet
	uses   []wordUse
}

func (s *scan) sorted() []wordUse {
	slices.SortStableFunc(s.uses, func(a, b wordUse) int { return a.line - b.line })
	return s.uses
}

func (s *scan) line(pos token.Pos) int { return s.files.Position(pos).Line }

// comment checks a comment group. Directives such as //go:build are not prose.
func (s *scan) comment(group *ast.CommentGroup) {
	lines := make([]string, s.line(group.End())-s.line(group.Pos())+1)
	for _, comment := range group.List {
		if isDirective(comment.Text) {
			continue
		}
		at := s.line(comment.Pos()) - s.line(group.Pos())
		for i, line := range strings.Split(comment.Text, "\n") {
			lines[at+i] = line
		}
	}
	s.prose(s.line(group.Pos()), strings.Join(lines, "\n"))
}

func isDirective(comment string) bool {
	name, _, found := strings.Cut(strings.TrimPrefix(comment, "//"), ":")
	return found && name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsLower(r) })
}

// node checks the names and texts that a node declares. Names of other modules are
// not checked, since they cannot be changed here.
func (s *scan) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.File:
		s.names(n.Name)
	case *ast.ImportSpec:
		s.names(n.Name)
		return false
	case *ast.FuncDecl:
		s.names(n.Name)
	case *ast.Field:
		s.names(n.Names...)
	case *ast.TypeSpec:
		s.names(n.Name)
	case *ast.ValueSpec:
		s.names(n.Names...)
	case *ast.LabeledStmt:
		s.names(n.Label)
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			s.expressions(n.Key, n.Value)
		}
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			s.expressions(n.Lhs...)
		}
	case *ast.CallExpr:
		if s.isTest {
			s.subtest(n)
		}
	case *ast.BasicLit:
		if !s.isTest || isMessage(n) {
			s.text(n)
		}
	}
	return true
}

func (s *scan) names(names ...*ast.Ident) {
	for _, name := range names {
		if name == nil {
			continue
		}
		parts := splitIdentifier(name.Name)
		s.parts(s.line(name.Pos()), parts)
		s.match(parts, func(r wordRule, at int) bool { return r.inNames && at == 0 && len(r.words) == len(parts) },
			func(int) int { return s.line(name.Pos()) })
	}
}

func (s *scan) expressions(expressions ...ast.Expr) {
	for _, e := range expressions {
		if name, ok := e.(*ast.Ident); ok {
			s.names(name)
		}
	}
}

// subtest checks the name that a test gives to t.Run.
func (s *scan) subtest(call *ast.CallExpr) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Run" || len(call.Args) == 0 {
		return
	}
	if name, ok := call.Args[0].(*ast.BasicLit); ok && !isMessage(name) { // node checks messages
		s.text(name)
	}
}

// isMessage reports whether a literal of a test is a message or a name of a table row, not
// data: a text of several words on one line, without the syntax of JSON or HTTP.
func isMessage(literal *ast.BasicLit) bool {
	return strings.HasPrefix(literal.Value, `"`) && strings.Contains(literal.Value, " ") &&
		!strings.ContainsAny(literal.Value, "{\\")
}

func (s *scan) text(literal *ast.BasicLit) {
	if literal.Kind != token.STRING {
		return
	}
	text := literal.Value
	if !strings.HasPrefix(text, "`") {
		// A newline of an interpreted string would shift the line numbers.
		text, _ = strconv.Unquote(text)
		text = strings.ReplaceAll(text, "\n", " ")
	}
	s.prose(s.line(literal.Pos()), text)
}

var (
	linkPattern = regexp.MustCompile(`https?://\S+`)
	wordPattern = regexp.MustCompile(`[\pL\pN_]+`)
)

// prose checks text whose first line has the given number. A word of mixed case or
// with an underscore is treated as an identifier.
func (s *scan) prose(line int, text string) {
	var words []string
	var lines []int
	for text := range strings.Lines(text) {
		for _, word := range wordPattern.FindAllString(linkPattern.ReplaceAllString(text, " "), -1) {
			if parts := splitIdentifier(word); len(parts) > 1 {
				s.parts(line, parts)
				words = append(words, "") // ends a phrase
			} else {
				words = append(words, strings.ToLower(word))
			}
			lines = append(lines, line)
		}
		line++
	}
	s.match(words, func(r wordRule, _ int) bool { return r.inComments }, func(i int) int { return lines[i] })
}

// parts checks the words that an identifier consists of. Outside Go files a word of
// scope identifiers is not reported: such names belong to other programs.
func (s *scan) parts(line int, parts []string) {
	s.match(parts, func(r wordRule, _ int) bool { return r.inParts && (s.isGo || r.inComments) }, func(int) int { return line })
}

// match adds a use for each place where the words of a rule occur and applies
// returns true.
func (s *scan) match(words []string, applies func(r wordRule, at int) bool, lineOf func(i int) int) {
	for _, rule := range s.rules {
		for i := 0; i+len(rule.words) <= len(words); i++ {
			if slices.Equal(rule.words, words[i:i+len(rule.words)]) && applies(rule, i) {
				s.uses = append(s.uses, wordUse{lineOf(i), strings.Join(rule.words, " "), rule.replacement})
			}
		}
	}
}

// splitIdentifier returns the lower-case words of an identifier: openHTTPServer_2
// consists of open, http and server.
func splitIdentifier(identifier string) []string {
	var parts []string
	var part []rune
	runes := []rune(identifier)
	flush := func() {
		if len(part) > 0 {
			parts = append(parts, strings.ToLower(string(part)))
			part = nil
		}
	}
	for i, r := range runes {
		startsWord := unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord || !unicode.IsLetter(r) {
			flush()
		}
		if unicode.IsLetter(r) {
			part = append(part, r)
		}
	}
	flush()
	return parts
}
