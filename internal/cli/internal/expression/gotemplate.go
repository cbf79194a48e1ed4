package expression

import (
	"encoding/json"
	"strings"
	"text/template"
)

// goTemplate prints the output of a template of Go.
type goTemplate struct{ template *template.Template }

func parseTemplate(text string) (Expression, error) {
	functions := template.FuncMap{
		"json": func(value any) (string, error) {
			text, err := json.Marshal(value)
			return string(text), err
		},
	}
	parsed, err := template.New("output").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	return goTemplate{parsed}, nil
}

func (t goTemplate) text(document any, _ bool) (string, error) {
	var text strings.Builder
	err := t.template.Execute(&text, document)
	return text.String(), err
}
