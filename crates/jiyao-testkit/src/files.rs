//! Files as secretariats have them: Word and PDF with known text.

use std::io::Write as _;

use anyhow::Result;

/// A Word document of these paragraphs.
///
/// # Errors
/// None that a test expects.
pub fn docx(paragraphs: &[&str]) -> Result<Vec<u8>> {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let body: String =
        paragraphs.iter().map(|text| format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", escaped(text))).collect();
    docx_of(&format!("<?xml version=\"1.0\"?><w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"))
}

/// A Word document whose main part is this XML.
///
/// # Errors
/// None that a test expects.
pub fn docx_of(xml: &str) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("word/document.xml", zip::write::SimpleFileOptions::default())?;
    archive.write_all(xml.as_bytes())?;
    Ok(archive.finish()?.into_inner())
}

/// A PDF file with one page a slice of lines. Without lines it has a page and no text, as a scan has.
#[must_use]
pub fn pdf(pages: &[&[&str]]) -> Vec<u8> {
    repeated_pdf(pages, 1)
}

/// The same with all its pages so many times: a small file that takes long to read.
#[must_use]
pub fn repeated_pdf(pages: &[&[&str]], times: usize) -> Vec<u8> {
    let mut objects: Vec<String> = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /Identity-H /DescendantFonts [4 0 R] /ToUnicode 5 0 R >>".to_owned(),
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Song /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor 6 0 R /DW 1000 >>".to_owned(),
        stream("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /U def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n1 beginbfrange\n<0000> <FFFF> <0000>\nendbfrange\nendcmap\nend\nend"),
        "<< /Type /FontDescriptor /FontName /Song /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>".to_owned(),
    ];
    let mut kids = Vec::new();
    for lines in pages {
        let mut content = String::from("BT /F1 12 Tf 72 780 Td 16 TL\n");
        for line in *lines {
            let codes: String = line.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
            content.push_str(&format!("<{codes}> Tj T*\n"));
        }
        content.push_str("ET");
        objects.push(stream(&content));
        let contents = objects.len();
        objects.push(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"));
        kids.push(format!("{} 0 R", objects.len()));
    }
    let kids = vec![kids; times].concat();
    objects[1] = format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), kids.len());
    let mut out = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(out.len());
        out.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let table = out.len();
    out.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    out.extend(places.iter().map(|place| format!("{place:010} 00000 n \n")));
    out.push_str(&format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    ));
    out.into_bytes()
}

fn stream(content: &str) -> String {
    format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len())
}
