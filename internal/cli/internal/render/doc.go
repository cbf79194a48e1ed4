// Package render writes values as text: table cells, tables, JSON and YAML. No value,
// whatever it contains, can control the terminal, forge a line or a column, or be
// misread as another value.
package render
