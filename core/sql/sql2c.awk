# Turns SQL files into C: see core/sql/sql.am. With -v header=1 the declarations, else the definitions.
function stem(path) {
	sub(/.*\//, "", path)
	sub(/\.sql$/, "", path)
	return path
}
function quote(line) {
	gsub(/\\/, "&&", line)
	gsub(/"/, "\\\"", line)
	return "\t\"" line "\\n\"\n"
}
function begin_file() {
	name = stem(FILENAME)
	if (guest) {
		kind = "guest"
		name = ""
		return
	}
	kind = FILENAME ~ /\/schema\// ? "schema" : FILENAME ~ /\/functions\// ? "function" : "query"
	if (kind == "schema")
		schema[++schemas] = name
	else if (kind == "function")
		functions[++functions_count] = name
	else
		query[++queries] = name
	body[kind, name] = ""
}
FNR == 1 { begin_file() }
# Pulp's sessions have these for themselves: their tables stand before others of the same name.
guest && /^\t*-- / { next }
guest { sub(/search_path = pulp_worker, pg_catalog, public, pg_temp/, "search_path = pg_temp, pg_catalog, public") }
guest { gsub(/pulp_worker\./, "pg_temp.") }
{ body[kind, name] = body[kind, name] quote($0) }
END {
	print "/* Made from core/sql by sql2c.awk: edit the .sql files. */"
	if (header) {
		print "#ifndef PW_SQL_SQL_H\n#define PW_SQL_SQL_H\n#include <stddef.h>"
		print "struct pw_sql_file {\n\tint number;\n\tconst char *name, *text;\n};"
		print "extern const struct pw_sql_file pw_sql_schema[], pw_sql_functions[]; /* each ends with a NULL text */"
		for (i = 1; i <= queries; i++)
			print "extern const char pw_sql_" query[i] "[];"
		print "extern const char pw_sql_guest[];"
		print "#endif"
		exit
	}
	print "#include \"sql/sql.h\""
	for (i = 1; i <= queries; i++)
		print "const char pw_sql_" query[i] "[] =\n" body["query", query[i]] "\t\"\";"
	print "const char pw_sql_guest[] =\n" body["guest", ""] "\t\"\";"
	print "const struct pw_sql_file pw_sql_schema[] = {"
	for (i = 1; i <= schemas; i++)
		print "{ " (schema[i] + 0) ", \"" schema[i] "\",\n" body["schema", schema[i]] "\t\"\" },"
	print "{ 0, NULL, NULL } };"
	print "const struct pw_sql_file pw_sql_functions[] = {"
	for (i = 1; i <= functions_count; i++)
		print "{ " (functions[i] + 0) ", \"" functions[i] "\",\n" body["function", functions[i]] "\t\"\" },"
	print "{ 0, NULL, NULL } };"
}
