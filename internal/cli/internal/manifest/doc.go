// Package manifest reads the files that -f names: records, and how to run a game, in
// YAML or JSON. Unknown and repeated fields are errors, because a misspelled field would
// otherwise be ignored without a message.
package manifest
