// Package labelselector parses label selectors in the grammar of Kubernetes, such as
//
//	env=prod, mode!=ranked, tier in (a,b), tier notin (c), canary, !legacy, level>3
//
// It uses the parser of k8s.io/apimachinery, so that the grammar cannot differ. The module is in
// the program already, and its package labels adds 0.1 MB.
package labelselector

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"galaxy/rtmanager/internal/domain/runtime"
)

// MaxBytes bounds the text of a selector.
const MaxBytes = 4096

// operators translates the operators of the parser.
var operators = map[selection.Operator]runtime.LabelOperator{
	selection.Equals: runtime.LabelIn, selection.DoubleEquals: runtime.LabelIn, selection.In: runtime.LabelIn,
	selection.NotEquals: runtime.LabelNotIn, selection.NotIn: runtime.LabelNotIn,
	selection.Exists: runtime.LabelExists, selection.DoesNotExist: runtime.LabelAbsent,
	selection.GreaterThan: runtime.LabelAbove, selection.LessThan: runtime.LabelBelow,
}

// Parse parses a selector. The error is a *runtime.InvalidError on the field, for a text that is
// empty, too long or not in the grammar.
func Parse(field, text string) (runtime.LabelSelector, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return runtime.LabelSelector{}, &runtime.InvalidError{Field: field, Reason: "is empty; use a label selector, such as env=prod,mode!=ranked"}
	case len(text) > MaxBytes:
		return runtime.LabelSelector{}, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), MaxBytes)}
	}
	parsed, err := labels.ParseToRequirements(text)
	if strings.Contains(text, "\x00") { // at which the parser ends, so that less would be required
		err = errors.New("it contains a NUL byte")
	}
	if err != nil {
		return runtime.LabelSelector{}, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.128q is not a label selector, such as env=prod,mode!=ranked: %s", text, reasonOf(err))}
	}
	requirements := make([]runtime.LabelRequirement, len(parsed))
	for i := range parsed {
		requirements[i] = runtime.LabelRequirement{Key: parsed[i].Key(), Operator: operators[parsed[i].Operator()], Values: parsed[i].ValuesUnsorted()}
	}
	return runtime.NewLabelSelector(requirements...), nil
}

// reasonOf returns the text of an error of the parser, on one line.
func reasonOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "unable to parse requirement: ")
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n", " "), "<nil>: ")
}
