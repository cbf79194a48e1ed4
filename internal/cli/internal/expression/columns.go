package expression

import (
	"fmt"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// columns prints a table with a line for each item.
type columns struct {
	header []string
	paths  []*jsonpath.JSONPath
}

func parseColumns(text string) (Expression, error) {
	var c columns
	for _, column := range strings.Split(text, ",") {
		header, path, hasPath := strings.Cut(column, ":")
		if !hasPath || header == "" || path == "" {
			return nil, fmt.Errorf("column %q is not HEADER:PATH", column)
		}
		parsed, err := parsePath(path)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", header, err)
		}
		c.header, c.paths = append(c.header, header), append(c.paths, parsed)
	}
	return c, nil
}

func (c columns) text(document any, noHeader bool) (string, error) {
	table := render.Table{Header: c.header}
	for _, item := range itemsOf(document) {
		row := make([]string, len(c.paths))
		for i, path := range c.paths {
			var cell strings.Builder
			if err := path.Execute(&cell, item); err != nil {
				return "", fmt.Errorf("column %s: %w", c.header[i], err)
			}
			row[i] = "<none>"
			if cell.Len() > 0 {
				row[i] = render.Value(cell.String())
			}
		}
		table.Add(row...)
	}
	var text strings.Builder
	err := table.Write(&text, !noHeader, nil)
	return text.String(), err
}
