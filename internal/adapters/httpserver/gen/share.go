package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver"
)

const parameterPrefix = "#/components/parameters/"

// shareParameters replaces each parameter that several operations have by a reference, and returns the
// referenced ones by name. Equal parameters have equal JSON.
func shareParameters(paths object) object {
	uses := map[string][]*object{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := paths[path].(object)
		for _, method := range slices.Sorted(maps.Keys(item)) {
			parameters, _ := item[method].(object)["parameters"].([]object)
			for i := range parameters {
				text, err := json.Marshal(parameters[i])
				if err != nil {
					panic(err) // it consists of maps, slices and texts
				}
				uses[string(text)] = append(uses[string(text)], &parameters[i])
			}
		}
	}
	shared := object{}
	for _, text := range slices.Sorted(maps.Keys(uses)) {
		users := uses[text]
		if len(users) < 2 {
			continue
		}
		name := parameterName(*users[0], shared)
		shared[name] = *users[0]
		for _, user := range users {
			*user = object{"$ref": parameterPrefix + name}
		}
	}
	return shared
}

// parameterName returns an unused name for a parameter, in camel case.
func parameterName(parameter, used object) string {
	var name strings.Builder
	for word := range strings.FieldsFuncSeq(parameter["name"].(string), func(r rune) bool { return r == '_' || r == '-' }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	unique := name.String()
	for n := 2; used[unique] != nil; n++ {
		unique = fmt.Sprintf("%s%d", name.String(), n)
	}
	return unique
}

// isEnumOf reports whether the values of an enum tag are those of the constants, in any order.
func isEnumOf(enum string, constants []string) bool {
	return len(constants) > 0 && slices.Equal(slices.Sorted(strings.SplitSeq(enum, ",")), slices.Sorted(slices.Values(constants)))
}

// tagDescriptions describe the tags of operations.
func tagDescriptions() map[string]string {
	return map[string]string{
		"access":     "Identities, tokens and roles",
		"members":    "Members of the cluster of embedded etcd",
		"operations": "Operations on games: start, stop, restart, patch, cleanup, move",
		"rollouts":   "Changes of the image of many games",
		"runtimes":   "Records of games",
		"secrets":    "Secrets that games get as environment variables",
		"system":     "Nodes, drift, consistency and state of the daemon",
		"watch":      "Streams of changes",
	}
}

// tagsOf returns the tags of the routes with their descriptions, in alphabetical order.
func tagsOf(routes []httpserver.Route) []object {
	names := map[string]bool{}
	for _, route := range routes {
		if !route.IsHidden {
			names[route.Tag] = true
		}
	}
	var tags []object
	for _, name := range slices.Sorted(maps.Keys(names)) {
		tags = append(tags, object{"name": name, "description": tagDescriptions()[name]})
	}
	return tags
}

// bodyOf returns the body of a route, with an example if there is one.
func bodyOf(schemas *schemas, route httpserver.Route) object {
	body := object{"schema": schemas.body(route.Request.BodyType)}
	if example := bodyExamples()[route.ID]; example != "" {
		body["example"] = json.RawMessage(example)
	}
	return body
}

// bodyExamples are bodies of requests, by the id of the operation.
func bodyExamples() map[string]string {
	return map[string]string{
		"start-runtime": `{"image": "gameserver:1.0.0", "env": {"MAP": "desert"}, "memory_bytes": 268435456, "labels": {"env": "prod"},
			"metadata": {"match": {"mode": "ranked"}}, "crash": {"attempts": 3}}`,
		"stop-runtime":            `{"grace": "5s"}`,
		"patch-runtime":           `{"image": "gameserver:1.0.1"}`,
		"move-runtime":            `{"node": "eu-2"}`,
		"label-runtime":           `{"set": {"env": "prod"}, "remove": ["canary"]}`,
		"change-runtime-metadata": `{"merge": {"match": {"mode": "casual"}, "seed": null}}`,
		"set-runtime-status":      `{"expected_from": "running", "to": "stopped", "reason": "the container has exited"}`,
		"get-specs":               `{"game_ids": ["game-1", "game-2"]}`,
	}
}
