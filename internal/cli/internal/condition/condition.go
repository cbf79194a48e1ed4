package condition

import (
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Condition is true or false for a record.
type Condition struct {
	text, key string
	isTrue    func(runtime.RuntimeRecord) bool
}

// deleted is the key of the condition that is true without a record.
const deleted = "deleted"

// Forms describes the conditions, for messages.
const Forms = "status=STATUS, health=HEALTH, ready, idle, node=NODE, image=IMAGE or deleted"

// Parse returns the condition of a text. An error is a *runtime.InvalidError on the field.
func Parse(field, text string) (Condition, error) {
	key, value, hasValue := strings.Cut(text, "=")
	c := Condition{text: text, key: key}
	switch {
	case !hasValue && key == "ready":
		c.isTrue = runtime.RuntimeRecord.IsReady
	case !hasValue && key == "idle":
		c.isTrue = func(r runtime.RuntimeRecord) bool { return r.Operation == nil }
	case !hasValue && key == deleted:
		c.isTrue = func(runtime.RuntimeRecord) bool { return false }
	case value == "":
		return Condition{}, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.80q is not a condition; use %s", text, Forms)}
	case key == "status":
		status, err := runtime.ParseStatus(field, value)
		c.isTrue = func(r runtime.RuntimeRecord) bool { return r.Status == status }
		return c, err
	case key == "health":
		health, err := runtime.ParseHealth(field, value)
		c.isTrue = func(r runtime.RuntimeRecord) bool { return r.Health == health }
		return c, err
	case key == "node":
		c.isTrue = func(r runtime.RuntimeRecord) bool { return r.Node == value || r.Region+"/"+r.Node == value }
	case key == "image":
		c.isTrue = func(r runtime.RuntimeRecord) bool { return r.CurrentImageRef == value }
	default:
		return Condition{}, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%.80q is not a condition; use %s", text, Forms)}
	}
	return c, nil
}

// List is conditions that must all be true at the same time.
type List []Condition

// ParseList returns the conditions of the texts, and an error if they can never be true at the
// same time.
func ParseList(field string, texts []string) (List, error) {
	var list List
	keys := map[string]string{}
	for _, text := range texts {
		c, err := Parse(field, text)
		if err != nil {
			return nil, err
		}
		if other, isGiven := keys[c.key]; isGiven && other != text {
			return nil, contradiction(field, other, text)
		}
		keys[c.key] = text
		list = append(list, c)
	}
	if _, isDeleted := keys[deleted]; isDeleted && len(keys) > 1 {
		return nil, contradiction(field, texts[0], texts[len(texts)-1])
	}
	if status, hasStatus := keys["status"]; hasStatus && status != "status="+string(runtime.StatusRunning) {
		for _, key := range []string{"ready", "health"} { // only running games have a health
			if other, isGiven := keys[key]; isGiven {
				return nil, contradiction(field, status, other)
			}
		}
	}
	return list, nil
}

func contradiction(field, one, other string) error {
	return &runtime.InvalidError{Field: field, Reason: fmt.Sprintf("%s and %s can never be true at the same time", one, other)}
}

// IsTrue reports whether all conditions are true for the record; nil means that there is none.
func (l List) IsTrue(record *runtime.RuntimeRecord) bool {
	for _, c := range l {
		if record == nil && c.key != deleted || record != nil && !c.isTrue(*record) {
			return false
		}
	}
	return true
}

// String returns the conditions as a text, such as "status=running and ready".
func (l List) String() string {
	texts := make([]string, len(l))
	for i, c := range l {
		texts[i] = c.text
	}
	return strings.Join(texts, " and ")
}
