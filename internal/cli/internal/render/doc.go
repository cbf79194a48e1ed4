// Package render writes values as text: table cells, tables, JSON and YAML. It escapes
// values, so that none can control the terminal, forge a line or a column, or be misread
// as another value.
package render
