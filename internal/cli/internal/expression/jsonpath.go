package expression

import (
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// jsonPath prints what a JSONPath template of Kubernetes selects. A member that the document does
// not have is empty, because optional members of the API are omitted.
type jsonPath struct{ path *jsonpath.JSONPath }

func parseJSONPath(text string) (Expression, error) {
	path, err := parsePath(text)
	if err != nil {
		return nil, err
	}
	return jsonPath{path}, nil
}

// parsePath parses a template, in which the braces around a single path may be omitted.
func parsePath(text string) (*jsonpath.JSONPath, error) {
	if !strings.Contains(text, "{") {
		text = "{." + strings.TrimPrefix(text, ".") + "}"
	}
	path := jsonpath.New("output").AllowMissingKeys(true)
	return path, path.Parse(text)
}

func (j jsonPath) text(document any, _ bool) (string, error) {
	var text strings.Builder
	err := j.path.Execute(&text, document)
	return text.String(), err
}
