package runtime

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// MaxLabels bounds the labels of one game. Kubernetes has no such bound, but every label of every
// game takes a place in an index.
const MaxLabels = 64

// The syntax of labels is that of Kubernetes.
var (
	labelName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$`)
	labelPrefix = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

const (
	maxLabelBytes       = 63
	maxLabelPrefixBytes = 253
)

// ValidateLabels returns nil for valid labels. Otherwise it returns every fault, as joined
// *InvalidError values on the field.
func ValidateLabels(field string, labels map[string]string) error {
	var faults []error
	if len(labels) > MaxLabels {
		faults = append(faults, &InvalidError{Field: field, Reason: fmt.Sprintf("are %d; at most %d are allowed", len(labels), MaxLabels)})
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		faults = append(faults, ValidateLabelKey(field, key))
		if value := labels[key]; value != "" && (len(value) > maxLabelBytes || !labelName.MatchString(value)) {
			faults = append(faults, &InvalidError{Field: field, Reason: fmt.Sprintf("has the value %.80q of %.80q; use at most %d letters, digits, -, _ and . with a letter or digit at both ends", value, key, maxLabelBytes)})
		}
	}
	return errors.Join(faults...)
}

// ValidateLabelKey returns nil for a valid key, and otherwise an *InvalidError on the field.
func ValidateLabelKey(field, key string) error {
	prefix, name, hasPrefix := strings.Cut(key, "/")
	if !hasPrefix {
		name = key
	} else if len(prefix) > maxLabelPrefixBytes || !labelPrefix.MatchString(prefix) {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has the key %.80q; the text before / must be a DNS name in lower case, such as example.com", key)}
	}
	if len(name) > maxLabelBytes || !labelName.MatchString(name) {
		return &InvalidError{Field: field, Reason: fmt.Sprintf("has the key %.80q; use at most %d letters, digits, -, _ and . with a letter or digit at both ends", key, maxLabelBytes)}
	}
	return nil
}

// ChangeLabels returns the labels after a change: those of set replace the current ones, and those
// of remove are absent. It changes neither argument, and returns nil for no labels.
func ChangeLabels(current, set map[string]string, remove []string) map[string]string {
	changed := map[string]string{}
	maps.Copy(changed, current)
	maps.Copy(changed, set)
	for _, key := range remove {
		delete(changed, key)
	}
	if len(changed) == 0 {
		return nil
	}
	return changed
}
