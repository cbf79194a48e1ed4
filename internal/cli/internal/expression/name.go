package expression

import (
	"errors"
	"strings"
)

// nameExpression prints the name of each item: the id of an operation, the id of a game, or
// REGION/NODE.
type nameExpression struct{}

func (nameExpression) text(document any, _ bool) (string, error) {
	var names strings.Builder
	for _, item := range itemsOf(document) {
		name := nameOf(item)
		if name == "" {
			return "", errors.New("the result has no names; use -o json")
		}
		names.WriteString(name + "\n")
	}
	return names.String(), nil
}

// nameOf returns the name of an item, empty if it has none.
func nameOf(item any) string {
	members, _ := item.(map[string]any)
	member := func(key string) string {
		value, _ := members[key].(string)
		return value
	}
	for _, key := range []string{"id", "game_id"} {
		if name := member(key); name != "" {
			return name
		}
	}
	if region := member("region"); region != "" && member("name") != "" {
		return region + "/" + member("name")
	}
	return member("name")
}
