// Package expression prints results by an expression of the user: only the names of what a
// result has, or what a JSONPath, a template or columns select of its JSON.
//
//	expression.go  Parse: the expression of an output format
//	document.go    a result as the members of its JSON, and its items
//	name.go        name
//	jsonpath.go    jsonpath=…
//	gotemplate.go  go-template=…
//	columns.go     custom-columns=…
package expression
