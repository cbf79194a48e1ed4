package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	yamlreader "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// parseSettings returns the values of a settings file by name. Numbers keep all digits.
func parseSettings(text []byte) (map[string]any, error) {
	converted, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	if err := requireOneDocument(text); err != nil {
		return nil, err
	}
	var settings map[string]any
	decoder := json.NewDecoder(bytes.NewReader(converted))
	decoder.UseNumber()
	if err := decoder.Decode(&settings); err != nil {
		return nil, errors.New("must contain settings, one NAME: VALUE per line")
	}
	return settings, nil
}

// requireOneDocument fails for further documents, which the conversion to JSON ignores.
func requireOneDocument(text []byte) error {
	reader := yamlreader.NewDecoder(bytes.NewReader(text))
	for range 2 {
		if err := reader.Decode(new(any)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.New("contains more than one YAML document; only the first would be used")
}

// flagText returns a YAML value as the text of a flag of the type. It rejects a value
// that YAML parses as another type than intended. For example, YAML parses the region no
// as false, and the node 0x10 as 16.
func flagText(flagType string, value any) (string, error) {
	switch flagType {
	case "bool":
		if v, ok := value.(bool); ok {
			return strconv.FormatBool(v), nil
		}
		return "", errors.New("must be true or false")
	case "int64", "float64":
		if v, ok := value.(json.Number); ok {
			return v.String(), nil
		}
		return "", errors.New("must be a number")
	case "stringSlice":
		if v, ok := value.([]any); ok {
			return listText(v)
		}
	}
	if v, ok := value.(string); ok {
		return v, nil
	}
	return "", errors.New("must be a string; put it in quotes")
}

func listText(items []any) (string, error) {
	texts := make([]string, len(items))
	for i, item := range items {
		text, ok := item.(string)
		if !ok {
			return "", fmt.Errorf("must be a list of strings; item %d is not", i+1)
		}
		texts[i] = text
	}
	return strings.Join(texts, ","), nil
}
