use super::*;

fn extractor() -> Extractor {
    Extractor::with(PathBuf::from("/nowhere"))
}

fn extract(bytes: &[u8]) -> Result<Extracted> {
    extractor().extract(bytes, "f")
}

#[test]
fn refusals_say_why() {
    let reason = |bytes: &[u8]| extract(bytes).unwrap_err().reason();
    assert_eq!(reason(b""), Reason::SourceEmpty);
    assert_eq!(reason("\u{feff} \n\u{3000}".as_bytes()), Reason::SourceEmpty);
    assert_eq!(reason(&vec![b'a'; TEXT_LIMIT + 1]), Reason::SourceTooLarge);
    assert_eq!(reason(&vec![b'a'; FILE_LIMIT + 1]), Reason::SourceTooLarge);
    assert_eq!(reason(b"<html><script>x</script></html>"), Reason::SourceEmpty);
    for bytes in [&b"ab\xff"[..], b"caf\xe9 au lait", &[0x81; 9], b"\xff\xfe\x00\x01"] {
        let fault = extract(bytes).unwrap_err();
        assert_eq!(fault.reason(), Reason::SourceUndecodable, "{bytes:?}");
        assert!(fault.metadata().contains_key("offset"));
    }
}

#[test]
fn texts_come_out_in_both_encodings() {
    let minutes = "临岚市人民政府常务会议纪要\n〔2025〕9号\n";
    let utf8 = extract(minutes.as_bytes()).unwrap();
    assert_eq!(utf8, Extracted { text: minutes.to_owned(), format: Format::Utf8 });
    let marked = format!("\u{feff}{minutes}");
    assert_eq!(extract(marked.as_bytes()).unwrap().text, marked);
    let (bytes, _, _) = encoding_rs::GB18030.encode(minutes);
    let gb = extract(&bytes).unwrap();
    assert_eq!(gb, Extracted { text: minutes.to_owned(), format: Format::Gb18030 });
}

#[test]
fn a_page_gives_what_its_reader_sees() {
    let page = "<!DOCTYPE html><html><head><title>站点</title><style>p{}</style></head><body>\
        <p>临岚市人民政府&nbsp;<b>常务</b>会议\n  纪要</p><div>〔2025〕9号<br>第42次</div>\
        <script>var a='<p>x</p>';</script><table><tr><td>出席：</td><td>王伟</td></tr></table></body></html>";
    let read = extract(page.as_bytes()).unwrap();
    assert_eq!(read.format, Format::Html);
    let lines: Vec<_> = read.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, ["临岚市人民政府\u{a0}常务会议 纪要", "〔2025〕9号", "第42次", "出席： 王伟"]);
    let (bytes, _, _) = encoding_rs::GBK.encode(page);
    assert_eq!(extract(&bytes).unwrap().text, read.text);
}

#[test]
fn a_word_document_gives_its_paragraphs_and_nothing_twice() {
    let xml = "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>一、审议</w:t><w:tab/><w:t>《甲&amp;乙办法》</w:t></w:r></w:p>\
        <w:p><w:r><w:t>A</w:t></w:r><mc:Fallback><w:p><w:t>A</w:t></w:p></mc:Fallback><w:delText>x</w:delText></w:p></w:body></w:document>";
    assert_eq!(docx_of(xml), "一、审议 《甲&乙办法》\nA\n");
}

fn docx_of(xml: &str) -> String {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(xml.as_bytes()).unwrap();
    docx::text(&archive.finish().unwrap().into_inner()).unwrap()
}
