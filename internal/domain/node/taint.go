package node

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// TaintEffect is what a taint does to games that do not tolerate it.
type TaintEffect string

// The effects, with the names of Kubernetes.
const (
	// NoSchedule keeps games off the node.
	NoSchedule TaintEffect = "NoSchedule"
	// PreferNoSchedule prefers any other node.
	PreferNoSchedule TaintEffect = "PreferNoSchedule"
)

// Taint keeps games off a node unless they tolerate it.
type Taint struct {
	Key    string      `json:"key"`
	Value  string      `json:"value,omitempty"`
	Effect TaintEffect `json:"effect" enum:"NoSchedule,PreferNoSchedule"`
}

// String returns KEY=VALUE:EFFECT, or KEY:EFFECT without a value.
func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + string(t.Effect)
	}
	return t.Key + "=" + t.Value + ":" + string(t.Effect)
}

// ParseTaint parses KEY[=VALUE]:EFFECT.
func ParseTaint(text string) (Taint, error) {
	pair, effect, _ := strings.Cut(text, ":")
	key, value, _ := strings.Cut(pair, "=")
	t := Taint{Key: key, Value: value, Effect: TaintEffect(effect)}
	if t.Effect != NoSchedule && t.Effect != PreferNoSchedule {
		return Taint{}, fmt.Errorf("%q is not KEY=VALUE:%s or KEY=VALUE:%s", text, NoSchedule, PreferNoSchedule)
	}
	if err := ValidateLabel(t.Key, t.Value); err != nil {
		return Taint{}, fmt.Errorf("%q: %w", text, err)
	}
	return t, nil
}

// Toleration allows a game to run on nodes with matching taints. An empty Key matches every
// taint; without Value it matches all taints of the key, unless Operator is Equal; an empty
// Effect matches all effects.
type Toleration struct {
	Key      string             `json:"key,omitempty"`
	Operator TolerationOperator `json:"operator,omitempty"`
	Value    string             `json:"value,omitempty"`
	Effect   TaintEffect        `json:"effect,omitempty"`
}

// TolerationOperator relates the value of a toleration to the value of a taint.
type TolerationOperator string

// The operators. The default is TolerationExists for a toleration without a value, and otherwise
// TolerationEqual.
const (
	TolerationEqual  TolerationOperator = "Equal"
	TolerationExists TolerationOperator = "Exists"
)

// ParseToleration parses KEY[=VALUE][:EFFECT].
func ParseToleration(text string) (Toleration, error) {
	pair, effect, _ := strings.Cut(text, ":")
	key, value, hasValue := strings.Cut(pair, "=")
	t := Toleration{Key: key, Value: value, Effect: TaintEffect(effect)}
	if hasValue {
		t.Operator = TolerationEqual
	}
	if err := t.Validate(); err != nil {
		return Toleration{}, fmt.Errorf("%q is not KEY[=VALUE][:EFFECT]: %w", text, err)
	}
	return t, nil
}

// Validate returns an error that names the invalid member.
func (t Toleration) Validate() error {
	switch {
	case t.Operator != "" && t.Operator != TolerationEqual && t.Operator != TolerationExists:
		return fmt.Errorf("operator %.64q is neither %s nor %s", t.Operator, TolerationEqual, TolerationExists)
	case t.Effect != "" && t.Effect != NoSchedule && t.Effect != PreferNoSchedule:
		return fmt.Errorf("effect %.64q is neither %s nor %s", t.Effect, NoSchedule, PreferNoSchedule)
	case t.Operator == TolerationExists && t.Value != "":
		return fmt.Errorf("operator %s allows no value, and the value is %.64q", TolerationExists, t.Value)
	case t.Key == "" && (t.Operator == TolerationEqual || t.Value != ""):
		return errors.New("a value requires a key")
	case t.Key == "":
		return nil
	}
	return ValidateLabel(t.Key, t.Value)
}

// Tolerates reports whether the toleration matches the taint.
func (t Toleration) Tolerates(taint Taint) bool {
	switch {
	case t.Effect != "" && t.Effect != taint.Effect:
		return false
	case t.Key == "":
		return true
	case t.Key != taint.Key:
		return false
	}
	isAnyValue := t.Operator == TolerationExists || t.Operator == "" && t.Value == ""
	return isAnyValue || t.Value == taint.Value
}

// The parts of a label, as Kubernetes defines them.
var (
	labelName   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	labelPrefix = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

// maxLabelPrefix is the number of bytes of the longest prefix of a label.
const maxLabelPrefix = 253

// ValidateLabel returns an error unless key and value can be a label of Kubernetes: the key may
// have a DNS prefix and a slash; name and value have at most 63 letters, digits, and - _ . inside.
func ValidateLabel(key, value string) error {
	name := key
	if prefix, rest, hasPrefix := strings.Cut(key, "/"); hasPrefix {
		name = rest
		if len(prefix) > maxLabelPrefix || !labelPrefix.MatchString(prefix) {
			return fmt.Errorf("key %.64q has a prefix that is not a DNS name", key)
		}
	}
	switch {
	case !labelName.MatchString(name):
		return fmt.Errorf("key %.64q is not a name of at most 63 letters, digits and - _ . such as disk or example.com/disk", key)
	case value != "" && !labelName.MatchString(value):
		return fmt.Errorf("value %.64q is not at most 63 letters, digits and - _ . inside", value)
	}
	return nil
}
