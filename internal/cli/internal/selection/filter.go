package selection

import (
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// parseStatuses returns the statuses of a flag.
func parseStatuses(texts []string) ([]runtime.Status, error) {
	var statuses []runtime.Status
	for _, text := range texts {
		status, err := runtime.ParseStatus("--status", text)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// describe returns a description of games with one of the statuses.
func describe(statuses []runtime.Status) string {
	text := ""
	for i, status := range statuses {
		if i > 0 {
			text += " or "
		}
		text += string(status)
	}
	return fmt.Sprintf("games that are %s", text)
}
