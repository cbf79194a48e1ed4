package flags

import (
	"encoding/json"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// parseHealthCommand parses a JSON array of words, or text for a shell, as in the two forms of a Dockerfile. Empty text is
// no command.
func parseHealthCommand(text string) ([]string, error) {
	switch {
	case text == "":
		return nil, nil
	case !strings.HasPrefix(text, "["):
		return []string{"sh", "-c", text}, nil
	}
	var words []string
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		return nil, &runtime.InvalidError{Field: "--health-cmd", Reason: "is not a JSON array of texts such as [\"/game\",\"check\"]: " + err.Error()}
	}
	return words, nil
}
