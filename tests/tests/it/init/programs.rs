//! Files of spreadsheets, statistics and databases.

use super::{check, events, habit, utf16, workbook};

#[test]
fn spreadsheets_and_statistics_run_without_an_edit() {
    let habits = [
        habit(
            "Excel, German",
            "a.csv",
            b"Nr;Stra\xdfe;Betrag;Datum;Aktiv\r\n1;Allee;1.299,50;31.01.2024;ja\r\n2;Weg;-0,25;01.02.2024;nein\r\n",
            &["nr int64", "strasse text", "betrag decimal(18,2)", "datum date", "aktiv boolean"],
            &["1|Allee|1299.50|2024-01-31|true", "2|Weg|-0.25|2024-02-01|false"],
        ),
        habit(
            "Excel, Unicode text",
            "a.txt",
            utf16("Id\tGröße\r\n1\tgroß\r\n2\tklein\r\n"),
            &["id int64", "groesse text"],
            &["1|groß", "2|klein"],
        ),
        habit(
            "Excel, UTF-8 with mark",
            "a.csv",
            "\u{feff}Id,Name\n1,Zoë\n2,Ann\n",
            &["id int64", "name text"],
            &["1|Zoë", "2|Ann"],
        ),
        habit(
            "Excel, US times",
            "a.csv",
            "Id,Sold\n1,1/31/2024 8:05 PM\n2,2/1/2024 11:00 AM\n",
            &["id int64", "sold timestamp"],
            &["1|2024-01-31T20:05:00Z", "2|2024-02-01T11:00:00Z"],
        ),
        habit(
            "pandas with index",
            "a.csv",
            ",name,score\n0,a,1.5\n1,b,nan\n",
            &["column_1 int64", "name text", "score double"],
            &["0|a|1.5", "1|b|NULL"],
        ),
        habit(
            "pandas booleans",
            "a.csv",
            "id,ok\n1,True\n2,False\n",
            &["id int64", "ok boolean"],
            &["1|true", "2|false"],
        ),
        habit(
            "R with NA",
            "a.csv",
            "\"id\",\"temp\",\"name\"\n1,\"21.5\",\"a\"\n2,NA,NA\n",
            &["id int64", "temp double", "name text"],
            &["1|21.5|a", "2|NULL|NULL"],
        ),
        habit(
            "R with names of rows",
            "a.csv",
            "\"x\",\"y\"\n\"1\",5,\"a\"\n\"2\",6,\"b\"\n",
            &["row_name int64", "x int64", "y text"],
            &["1|5|a", "2|6|b"],
        ),
        habit(
            "title before the header",
            "a.csv",
            "Report of 2024\n\nid,city,n\n1,Bonn,5\n2,Ulm,6\n",
            &["id int64", "city text", "n int64"],
            &["1|Bonn|5", "2|Ulm|6"],
        ),
        habit(
            "Excel, workbook",
            "a.xlsx",
            workbook(&[&["Report of 2024"], &[], &["id", "city", "n"], &["1", "Bonn", "1.5"], &["2", "Ulm", "2.25"]]),
            &["id int64", "city text", "n double"],
            &["1|Bonn|1.5", "2|Ulm|2.25"],
        ),
        habit(
            "Excel, workbook that begins with empty rows",
            "a.xlsx",
            workbook(&[&[], &[], &["id", "city"], &["1", "Bonn"], &["2", "Ulm"]]),
            &["id int64", "city text"],
            &["1|Bonn", "2|Ulm"],
        ),
        habit(
            "Avro, nested",
            "a.avro",
            events(),
            &["id int64", "at timestamp", "who_name text"],
            &["1|2024-01-31T13:30:00Z|Ann", "2|2024-02-01T00:00:00Z|Bob"],
        ),
        habit(
            "XML, nested",
            "a.xml",
            "<?xml version='1.0'?><orders><day>2024-01-31</day>\
             <order id='1'><who><name>Ann</name></who><amount>1.5</amount></order>\
             <order id='2'><who><name>Bob</name></who><amount>2.25</amount></order></orders>",
            &["id int64", "who_name text", "amount decimal(18,2)"],
            &["1|Ann|1.50", "2|Bob|2.25"],
        ),
        habit("line ends of an old Mac", "a.csv", "id,n\r1,2\r3,4\r", &["id int64", "n int64"], &["1|2", "3|4"]),
        habit(
            "weather station",
            "a.csv",
            "# station 4711\n# unit: C\ntime,temp\n2024-01-05 10:00,1.5\n2024-01-05 11:00,-\n",
            &["time timestamp", "temp double"],
            &["2024-01-05T10:00:00Z|1.5", "2024-01-05T11:00:00Z|NULL"],
        ),
        habit(
            "names in a comment",
            "a.csv",
            "# made by hand\n# day, mm\n2024-01-05,3\n2024-01-06,4\n",
            &["day date", "mm int64"],
            &["2024-01-05|3", "2024-01-06|4"],
        ),
        habit("no header", "a.csv", "1,a\n2,b\n", &["column_1 int64", "column_2 text"], &["1|a", "2|b"]),
        habit(
            "repeated header names",
            "a.csv",
            "id,value,value\n1,2,3\n2,4,5\n",
            &["id int64", "value int64", "value_3 int64"],
            &["1|2|3", "2|4|5"],
        ),
        habit(
            "ragged",
            "a.csv",
            "id,a,b\n1,2,3\n2\n3,4,5\n",
            &["id int64", "a int64", "b int64"],
            &["1|2|3", "2|NULL|NULL", "3|4|5"],
        ),
    ];
    habits.iter().for_each(check);
}

#[test]
fn databases_run_without_an_edit() {
    let habits = [
        habit(
            "PostgreSQL COPY",
            "a.tsv",
            "id\tat\tnote\n1\t2024-01-05 10:11:12.123+00\tx\n2\t\\N\t\\N\n",
            &["id int64", "at timestamp", "note text"],
            &["1|2024-01-05T10:11:12.123Z|x", "2|NULL|NULL"],
        ),
        habit(
            "mysqldump --tab, without nulls",
            "a.txt",
            "1\tC:\\\\x\n2\ty\n",
            &["column_1 int64", "column_2 text"],
            &["1|C:\\x", "2|y"],
        ),
        habit("PostgreSQL booleans", "a.csv", "id,ok\n1,t\n2,f\n", &["id int64", "ok boolean"], &["1|true", "2|false"]),
        habit(
            "MySQL",
            "a.csv",
            "id,born,n\n1,2024-01-05,NULL\n2,0000-00-00,3\n",
            &["id int64", "born date", "n int64"],
            &["1|2024-01-05|NULL", "2|NULL|3"],
        ),
        habit(
            "SQL Server",
            "a.csv",
            "Id|Amount|At\n1|1.5000|2024-01-05 10:11:12.1230000\n2|2.2500|2024-01-06 00:00:00.0000000\n",
            &["id int64", "amount decimal(18,4)", "at timestamp"],
            &["1|1.5000|2024-01-05T10:11:12.123Z", "2|2.2500|2024-01-06T00:00:00Z"],
        ),
        habit(
            "SAP",
            "a.txt",
            "MATNR;BUDAT;WRBTR;\n000000000000000123;20240105;1.234,50-;\n000000000000000124;20240106;10,00;\n",
            &["matnr text", "budat date", "wrbtr text"],
            &["000000000000000123|2024-01-05|1.234,50-", "000000000000000124|2024-01-06|10,00"],
        ),
        habit(
            "ids above 64 bits",
            "a.csv",
            "id,n\n92233720368547758070,1\n92233720368547758071,2\n",
            &["id text", "n int64"],
            &["92233720368547758070|1", "92233720368547758071|2"],
        ),
        habit(
            "day first",
            "a.csv",
            "id,d\n1,13/02/2024\n2,01/02/2024\n",
            &["id int64", "d date"],
            &["1|2024-02-13", "2|2024-02-01"],
        ),
        habit(
            "either order of day and month",
            "a.csv",
            "id,d\n1,03/02/2024\n2,01/02/2024\n",
            &["id int64", "d text"],
            &["1|03/02/2024", "2|01/02/2024"],
        ),
    ];
    habits.iter().for_each(check);
}
